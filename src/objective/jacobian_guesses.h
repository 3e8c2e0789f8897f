#pragma once

#include <vector>

#include "descramble/objective/objective.h"
#include "objective/jacobian_terms.h"

namespace descramble {

/// Where a search for rotations of a chain does well to begin: the identity, the singular vectors
/// of the mean Jacobians; for a single rotation also the maximum of Σ z⁴ (quartimax) from there,
/// and, where one matrix is turned, the rotation that makes it triangular.
std::vector<Guess> jacobian_guesses(const JacobianTerms& all);

}  // namespace descramble
