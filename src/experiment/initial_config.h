#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "descramble/model/example_inputs.h"

namespace descramble {

/// What is known of a user's own network.
struct InitialOptions {
  std::filesystem::path model{};
  std::string method = "forward";
  std::vector<InputSpec> inputs{};  ///< as `descramble taps` takes them; empty: unknown
  std::filesystem::path data{};     ///< a file or folder; empty: none yet
};

struct InitialConfig {
  nlohmann::json config{};
  std::vector<std::string> notes{};  ///< what was guessed, and what was left out and why
};

/// A config to start from: the model, its data (guessed, see guess_source) and one step of each
/// kind at a layer in the middle. It passes `check`. With data every step is tried on a few
/// samples; a step that the network does not allow is left out, with a note.
/// @throws Error for a model that cannot be loaded, data of no known kind, or data that the model
/// does not take
InitialConfig initial_config(const InitialOptions& options);

}  // namespace descramble
