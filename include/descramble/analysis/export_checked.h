#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "descramble/analysis/subject.h"
#include "descramble/taps/export.h"

namespace [[gnu::visibility("default")]] descramble {

/// An exported model, measured on the check samples.
struct CheckedExport {
  double difference = 0;              ///< max|f − f′| / max|f| of the file, loaded again
  double allowed = 0;                 ///< the largest difference that is allowed
  std::vector<RotationSide> sides{};  ///< where the rotations went
  /// The same difference for the model's other public methods; nothing if a method does not take
  /// the samples.
  std::map<std::string, std::optional<double>> methods{};
};

/// Writes the model with all rotations folded in where that is exact (see export_model), loads the
/// file again and compares. `floor`: the largest noise floor of the rotations' certificates.
/// @throws Error as export_model does; Failure if the file computes another function, or if one of
/// its methods does not run
CheckedExport export_checked(const Subject& subject, const std::vector<RotationEdit>& edits,
                             const std::filesystem::path& file, double floor = 0);

/// Checks that a certificate holds. `what` names it in the error.
/// @throws Failure where `measured` exceeds `allowed`
void require_certificate(double measured, double allowed, const std::string& what);

}  // namespace descramble
