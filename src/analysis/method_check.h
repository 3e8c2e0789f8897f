#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "descramble/analysis/subject.h"

namespace descramble {

/// Runs the other public methods of the model and of an exported archive on the check samples.
/// Returns max|f − f′| / max|f| by name; nothing for a method that does not take the samples.
/// @throws Failure for a method that runs only on the original
std::map<std::string, std::optional<double>> compare_methods(const Subject& subject,
                                                             const std::filesystem::path& exported);

}  // namespace descramble
