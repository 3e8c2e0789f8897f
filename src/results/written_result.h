#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace descramble {

/// result.json of a folder that a run has written.
/// @throws Error for a folder that is no result, a result of another version, or one without steps
nlohmann::json read_result(const std::filesystem::path& folder);

/// How the folders are called: by their last names; by the whole paths where two are alike.
/// @throws Error for no folder, and for one that is named twice
std::vector<std::string> folder_names(const std::vector<std::filesystem::path>& folders);

}  // namespace descramble
