#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace descramble {

/// A line of a table of labels.
struct LabelledFile {
  std::string file{};
  std::int64_t label = 0;
  std::int64_t line = 0;  ///< counted from 1
};

/// Reads a CSV file with the header `file,label`: names, which may stand in double quotes, and
/// integers
/// >= 0. Blank lines are passed over.
/// @throws Error naming file and line
std::vector<LabelledFile> read_label_table(const std::filesystem::path& table);

}  // namespace descramble
