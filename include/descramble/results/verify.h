#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace descramble {

/// One thing that was recomputed.
struct Check {
  enum class Outcome { holds, fails, skipped };
  std::string what{};
  Outcome outcome = Outcome::fails;
  std::string detail{};
};

/// Recomputes what a result folder certifies: the files' hashes, ‖PᵀP − I‖, W′ = P W (or W Pᵀ), and
/// model.pt on the check inputs; with the original model at hand (same sha256) also the reinserted
/// pair. The original is `model`, or (empty) sought where the config named it: beside `configs`, in
/// the working directory, in DESCRAMBLE_DATA.
/// @throws Error when the folder is not a result folder, or `model` is not the model analysed
std::vector<Check> verify_result(const std::filesystem::path& folder,
                                 const std::filesystem::path& model = {});

}  // namespace descramble
