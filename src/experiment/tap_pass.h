#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "descramble/stats/moments.h"
#include "descramble/taps/axis.h"
#include "descramble/taps/rows.h"
#include "experiment/step.h"

namespace descramble {

/// Moments of some taps over a source, with what was learned of each tap's shape on the way.
struct TapMoments {
  std::string tap{};
  Axis axis = Axis::features;
  std::vector<std::int64_t> shape{};  ///< of one sample, without the batch
  at::ScalarType dtype = at::kFloat;
  Moments moments{};
};

/// Which of a tap's rows a step looks at.
struct RowUse {
  RowSelection selection{};
  /// Of each sample one of the rows that count, drawn from the stream "position/TAP" of its number:
  /// the same seed and sample, the same position. A sample without such a row has none.
  bool one_position = false;
};

/// The step's field "rows". @throws Error where the data have no such input
RowSelection row_selection(const nlohmann::json& resolved, const Workspace& workspace);

/// One pass over the data for all taps together. `axis` null: the default of each tap.
/// @throws Error for an axis that a tap does not have, or whose matrices exceed the memory ceiling;
/// for a selection that leaves no row
std::vector<TapMoments> measure_taps(const Workspace& workspace, const Source& source,
                                     const std::vector<std::string>& taps,
                                     const nlohmann::json& axis, const RowUse& use,
                                     Progress& progress);

/// {name, shape, axis} as results have it.
nlohmann::json tap_json(const TapMoments& tap);

/// The field that picks the axis.
Field axis_field();

/// The field that picks the rows that count.
Field rows_field();

}  // namespace descramble
