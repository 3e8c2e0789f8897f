#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "descramble/analysis/grid.h"
#include "descramble/analysis/subject.h"
#include "descramble/config/kind.h"
#include "descramble/taps/axis.h"

namespace descramble {

/// Fields that several kinds of step have, and what their values mean.

/// "data": which of the two sources.
Field data_field(const char* fallback);
/// "statistics_data": the source of mean, variances and principal components.
Field statistics_data_field();
Split split_in(const nlohmann::json& resolved, const char* key = "data");

/// "axis": the axis of the quantities that a step uses; by default of the quantities that it
/// rotates.
Field axis_field();
Field axis_field(const std::string& what);
std::optional<Axis> axis_in(const nlohmann::json& resolved);

/// "rows": the rows that count.
Field rows_field();
RowSelection rows_in(const nlohmann::json& resolved);

/// "position": the value of a tap, or the input of its call; `both` if a step may take both.
Field position_field(const std::string& doc, bool both = false);

/// A name, a list of names, or nothing.
std::vector<std::string> names_in_field(const nlohmann::json& value);

/// "grid" of completeness.
const KindFamily& grid_family();
Grid grid_in(const nlohmann::json& resolved);

}  // namespace descramble
