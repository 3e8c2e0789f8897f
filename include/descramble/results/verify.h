#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace [[gnu::visibility("default")]] descramble {

/// One recomputed fact and its outcome.
struct Check {
  /// What came of a check.
  enum class Outcome {
    holds,   ///< the fact is as the folder says
    fails,   ///< it is not
    skipped  ///< it could not be checked, and `detail` says why
  };
  std::string what{};                ///< what was checked: "sha256 of model.pt"
  Outcome outcome = Outcome::fails;  ///< the outcome
  std::string detail{};              ///< the numbers that were compared, or the reason
};

/// Recomputes the facts that a result folder certifies: the hashes of the files, ‖PᵀP − I‖,
/// W′ = P W (or W Pᵀ), and the outputs of model.pt on the check inputs. If the original model is
/// available (same sha256), it also inserts the pair again. The original is `model`. If `model` is
/// empty, the path in the config is searched beside `configs`, in the working directory and in
/// DESCRAMBLE_DATA.
/// @throws Error when the folder is not a result folder, or `model` is not the analysed model
std::vector<Check> verify_result(const std::filesystem::path& folder,
                                 const std::filesystem::path& model = {});

}  // namespace descramble
