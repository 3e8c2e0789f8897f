#pragma once

#include <vector>

#include "descramble/objective/objective.h"
#include "objective/jacobian_terms.h"

namespace descramble {

/// Good starting points of a search for rotations of a chain: the identity and the singular vectors
/// of the mean Jacobians. For a single rotation also the maximum of Σ z⁴ (quartimax) from there,
/// and if only one matrix is rotated, the rotation that makes it triangular.
std::vector<Guess> jacobian_guesses(const JacobianTerms& all);

}  // namespace descramble
