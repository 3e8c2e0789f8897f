#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "descramble/analysis/subject.h"

namespace descramble {

/// Runs the model's other public methods and those of an exported archive on the check samples,
/// where the methods take them: max|f − f′| / max|f| by name, nothing where it does not run on
/// them.
/// @throws Failure for a method that runs on the original alone
std::map<std::string, std::optional<double>> compare_methods(const Subject& subject,
                                                             const std::filesystem::path& exported);

}  // namespace descramble
