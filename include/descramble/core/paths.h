#pragma once

#include "descramble/core/language.h"

#include <filesystem>
#include <string>
#include <vector>

namespace [[gnu::visibility("default")]] descramble {

/// Finds the files that a config names. An absolute path is taken unchanged. A relative path is
/// tried beside the config, then in the working directory, then in the folder that the environment
/// variable DESCRAMBLE_DATA names.
struct PathSearch {
  std::filesystem::path beside{};  ///< the config's folder; empty: none

  /// The places that are tried for `path`, in order.
  std::vector<std::filesystem::path> places(const std::string& path) const;

  /// The first of the places that exists.
  /// @throws Error naming `pointer` and every place tried
  std::filesystem::path find(const std::string& path, const std::string& pointer) const;
};

}  // namespace descramble
