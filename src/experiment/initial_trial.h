#pragma once

#include <optional>
#include <string>
#include <vector>

#include <ATen/core/ivalue.h>
#include <nlohmann/json_fwd.hpp>

#include "experiment/workspace.h"

namespace descramble {

/// The output of the model for some samples of the config's data; nothing if it takes none of them.
std::optional<c10::IValue> returned_for(const nlohmann::json& config);

/// Finds the order of inputs and the sizes of batches that the model takes, notes what was found,
/// and opens the config with a few samples. @throws Error where there are none
Opened fit_to_data(nlohmann::json& config, std::vector<std::string>& notes);

/// Runs each step on a few samples and leaves out what the network does not allow, with a note.
/// @throws Error where no step runs
void try_steps(nlohmann::json& config, std::vector<std::string>& notes);

}  // namespace descramble
