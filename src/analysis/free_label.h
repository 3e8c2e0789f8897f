#pragma once

#include <set>
#include <string>

#include <fmt/format.h>

namespace descramble {

/// A label that several bases of one kind do not share: "random", "random (2)".
inline std::string free_label(const std::string& label, std::set<std::string>& taken) {
  std::string result = label;
  for (int number = 2; !taken.insert(result).second; ++number)
    result = fmt::format("{} ({})", label, number);
  return result;
}

}  // namespace descramble
