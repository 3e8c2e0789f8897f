#pragma once

#include <string>
#include <vector>

#include "report/record.h"

namespace descramble {

/// What was run, on what, where, and how long it took.
std::string overview_section(const Record& record);

/// A map of the network, and everything known of each layer that a step names.
std::string map_section(const Record& record, std::size_t run);

/// Everything about one step. The numbers of its figures go into `shown`.
std::string step_section(const Record& record, std::size_t run, std::size_t step,
                         nlohmann::json& shown);

/// What a step found, from its entry in result.json.
std::string step_summary(const nlohmann::json& entry);

/// The weights that a rotation was folded into, before and after, with one scale of colours; empty
/// where the step has none, or where nothing can be drawn.
std::string weights_of_step(const Record& record, std::size_t run, std::size_t step,
                            nlohmann::json& shown);

/// The fields in which the configs differ, the numbers that several runs have, and charts of all
/// runs; empty for one record.
std::string comparison_section(const std::vector<Record>& records);

/// The id of a step's section: "run-0-step-2".
std::string step_id(std::size_t number, std::size_t step);

/// The taps that a step's result names.
std::vector<std::string> taps_of(const nlohmann::json& step);

}  // namespace descramble
