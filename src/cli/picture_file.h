#pragma once

#include <filesystem>

namespace descramble {

/// Checks that a picture can be written there, before any work. @throws Error for a name that does
/// not end in .svg, a folder that does not exist, a file that exists without `force`
void check_picture_file(const std::filesystem::path& file, bool force);

}  // namespace descramble
