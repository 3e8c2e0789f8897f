#pragma once

#include <filesystem>

#include <nlohmann/json.hpp>

#include "experiment/step.h"

namespace descramble {

/// Runs the model's other public methods and those of an exported archive on the check samples,
/// where the methods take them: {name: max|f − f′| / max|f|, or null where it does not run on
/// them}.
/// @throws Failure for a method that runs on the original alone
nlohmann::json compare_methods(const Workspace& workspace, const std::filesystem::path& exported);

}  // namespace descramble
