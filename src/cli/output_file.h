#pragma once

#include <filesystem>

namespace descramble {

/// Checks that a file can be written there, before any work. @throws Error for a name without this
/// ending, a folder that does not exist, a file that exists without `force`
void check_output_file(const std::filesystem::path& file, const char* ending, bool force);

}  // namespace descramble
