#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace descramble {

/// A result folder as the page sees it.
struct Record {
  std::filesystem::path folder{};
  std::string name{};  ///< the last name of the folder; the whole path if two are alike
  nlohmann::json result{};
  nlohmann::json timings{};
  nlohmann::json figures{};            ///< the numbers of figures, by name
  std::vector<std::string> files{};    ///< of the folder, as result.json lists them
  std::vector<std::string> missing{};  ///< listed, but not there
  std::vector<std::string> changed{};  ///< listed with another hash: not what the run wrote

  std::string read(const std::string& file) const;
  bool has(const std::string& file) const;
};

/// @throws Error for a folder that is no result, has another version, or is named twice
std::vector<Record> open_records(const std::vector<std::filesystem::path>& folders);

}  // namespace descramble
