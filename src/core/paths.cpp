#include "descramble/core/paths.h"

#include <cstdlib>

#include "descramble/core/error.h"

namespace descramble {

namespace fs = std::filesystem;

std::vector<fs::path> PathSearch::places(const std::string& path) const {
  const fs::path given(path);
  if (given.is_absolute()) return {given};
  std::vector<fs::path> result;
  const auto add = [&result](const fs::path& place) {
    const fs::path normal = place.lexically_normal();
    for (const fs::path& other : result) {
      if (other == normal) return;
    }
    result.push_back(normal);
  };
  if (!beside.empty()) add(beside / given);
  add(given);
  if (const char* folder = std::getenv("DESCRAMBLE_DATA"); folder != nullptr && *folder != '\0') {
    add(fs::path(folder) / given);
  }
  return result;
}

fs::path PathSearch::find(const std::string& path, const std::string& pointer) const {
  const std::vector<fs::path> tried = places(path);
  for (const fs::path& place : tried) {
    std::error_code ignored;
    if (fs::exists(place, ignored)) return place;
  }
  std::vector<std::string> names;
  for (const fs::path& place : tried) names.push_back(place.string());
  const char* folder = std::getenv("DESCRAMBLE_DATA");
  const bool unset = folder == nullptr || *folder == '\0';
  throw Error(
      {"no such file or folder: '" + path + "'", pointer, "it at one of " + quoted_list(names),
       unset && !fs::path(path).is_absolute() ? "none (DESCRAMBLE_DATA is not set)" : "none"});
}

}  // namespace descramble
