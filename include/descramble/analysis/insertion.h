#pragma once

#include <string>
#include <vector>

#include "descramble/analysis/subject.h"
#include "descramble/basis/rotation_pair.h"
#include "descramble/taps/export.h"
#include "descramble/taps/space.h"
#include "descramble/taps/tapped_model.h"

namespace [[gnu::visibility("default")]] descramble {

/// A rotation and the tap to which it belongs.
struct RotatedTap {
  TapSpace space{};                               ///< the tap and the space of its values
  RotationPair pair = RotationPair::identity(1);  ///< P, d × d for the space
};

/// Puts the pairs h → Pᵀ(P h) into a network, as long as the watches live. The pairs must outlive
/// them.
[[nodiscard]] std::vector<Watch> insert_pairs(const TappedModel& tapped,
                                              const std::vector<RotatedTap>& taps);

/// max|f − f′| / max|f| on the check samples, with all pairs inserted.
double inserted_difference(const Subject& subject, const std::vector<RotatedTap>& taps);

/// What was measured with inserted pairs, to show that the network still computes the same.
struct Certificate {
  double orthogonality = 0;           ///< ‖PᵀP − I‖_F in float64, the largest of the pairs
  double orthogonality_in_model = 0;  ///< the same for P rounded to the model's dtype
  double inserted = 0;                ///< max|f − f′| / max|f| with the pairs inserted
  double floor = 0;                   ///< effect on the outputs of rounding at the taps alone
};

/// Inserts the pairs together and measures. `warnings` gains a sentence if the network amplifies
/// rounding beyond the limit for its dtype.
Certificate certify(const Subject& subject, const std::vector<RotatedTap>& taps,
                    std::vector<std::string>& warnings);

/// The limit for a certificate: the subject's tolerance, else the larger of the limit for the
/// model's dtype and twice the noise floor.
double allowed_by(const Subject& subject, double floor);

/// The edit that writes the rotation into the model (see export_model).
RotationEdit edit_of(const RotatedTap& tap);

}  // namespace descramble
