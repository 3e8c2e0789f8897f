#include <algorithm>

#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/objective/jacobian_l1.h"

namespace descramble {

void require_chain(const std::vector<std::string>& taps) {
  const std::string where = "/objective/taps";
  if (taps.size() < 2) {
    throw Error({"a chain needs taps", where, "two or more, from the input side on",
                 fmt::format("{}", taps.size())});
  }
  for (std::size_t i = 0; i < taps.size(); ++i) {
    const std::string place = fmt::format("{}/{}", where, i);
    if (taps[i].empty() || taps[i].find('*') != std::string::npos)
      throw Error({"no name of a tap", place, "one tap, no pattern", "'" + taps[i] + "'"});
    if (std::find(taps.begin(), taps.end(), taps[i]) - taps.begin() < static_cast<long>(i))
      throw Error({"a tap stands in a chain twice", place, "each once", "'" + taps[i] + "'"});
  }
}

std::vector<bool> learned_flags(const std::vector<std::string>& chain,
                                const std::vector<std::string>& learn) {
  std::vector<bool> learned(chain.size(), learn.empty());
  if (learn.empty()) {
    learned.back() = false;
    return learned;
  }
  for (const std::string& name : learn) {
    const auto found = std::find(chain.begin(), chain.end(), name);
    if (found == chain.end()) {
      throw Error({"a tap to learn is not in the chain", "/objective/learn",
                   "one of " + quoted_list(chain), "'" + name + "'"});
    }
    learned[static_cast<std::size_t>(found - chain.begin())] = true;
  }
  return learned;
}

}  // namespace descramble
