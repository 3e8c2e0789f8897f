#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace descramble {

/// One thing that was recomputed.
struct Check {
  std::string what{};
  bool holds = false;
  std::string detail{};
};

/// Recomputes what a result folder certifies: the files' hashes, ‖PᵀP − I‖, W′ = P W (or W Pᵀ), and
/// model.pt on the check inputs; with the original model at hand (same sha256) also the reinserted pair.
/// @throws Error when the folder is not a result folder
std::vector<Check> verify_result(const std::filesystem::path& folder);

}  // namespace descramble
