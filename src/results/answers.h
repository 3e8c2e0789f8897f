#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace descramble {

/// One number that a step `read` has written into a result folder.
struct WrittenAnswer {
  std::filesystem::path folder{};
  std::int64_t step = 0;
  std::string matrix{};   ///< its title
  std::string reading{};  ///< its kind and choices
  std::string name{};
  std::string unit{};
  double value = 0;
  std::optional<double> uncertainty{};
  std::vector<std::pair<std::string, double>> controls{};  ///< those that have the same number
};

/// The numbers of all steps `read` of a result folder, in their order.
/// @throws Error for a folder that is no result, or has no such step
std::vector<WrittenAnswer> read_answers(const std::filesystem::path& folder);

}  // namespace descramble
