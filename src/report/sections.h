#pragma once

#include <string>
#include <vector>

#include "report/record.h"

namespace descramble {

/// What was run, on what, where, and how long it took.
std::string overview_section(const Record& record);

/// Each layer that a step names, with links to these steps, in the order of the steps.
std::string layers_section(const Record& record, std::size_t number);

/// Everything about one step.
std::string step_section(const Record& record, std::size_t number, std::size_t step);

/// The weights that a rotation was folded into, before and after, with one scale of colours; empty
/// where the step has none, or where nothing can be drawn.
std::string weights_of_step(const Record& record, std::size_t step);

/// The fields in which the configs differ; empty for one record.
std::string differences_section(const std::vector<Record>& records);

/// The id of a step's section: "run-0-step-2".
std::string step_id(std::size_t number, std::size_t step);

/// The taps that a step's result names.
std::vector<std::string> taps_of(const nlohmann::json& step);

}  // namespace descramble
