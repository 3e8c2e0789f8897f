#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/jacobian/jacobian_stack.h"

namespace descramble {

/// The rows that a one-sided term rotates, and the weight of each row.
struct JacobianRows {
  at::Tensor rows{};     ///< [R, d]
  at::Tensor weights{};  ///< [R], float64
  double weight = -1;    ///< the weight of every row, if all rows have the same weight
};

/// One layer of the chain: the blocks of the point that rotate its two sides; −1: the identity.
struct JacobianTerm {
  JacobianStack stack;
  std::int64_t left = -1;   ///< of the outputs
  std::int64_t right = -1;  ///< of the inputs
  double places = 0;        ///< entries of a sample's Jacobian; with positions, of all its blocks
  double scale = 0;         ///< root mean square of them
  double fixed = 0;         ///< Σ |J| of a constant term, which is summed once
  std::vector<JacobianRows> rows{};  ///< of a one-sided term with a kept stack

  bool two_sided() const { return left >= 0 && right >= 0; }
  bool constant() const { return left < 0 && right < 0; }
  /// Only one matrix is rotated, for any number of samples.
  bool single() const {
    const auto one = static_cast<double>(stack.inputs() * stack.outputs());
    return !two_sided() && !constant() &&
           (stack.is_collapsed() || (stack.samples() == 1 && places == one));
  }
};

/// The terms that JacobianL1 sums: the layers of a chain, and the places of the rotations of its
/// learned taps in the point.
struct JacobianTerms {
  std::vector<JacobianTerm> terms{};
  std::vector<std::string> taps{};    ///< learned ones
  std::vector<std::int64_t> sizes{};  ///< of their rotations
  std::vector<std::int64_t> offsets{};
  std::int64_t dimension = 0;

  at::Tensor block(const at::Tensor& point, std::int64_t i) const {
    const auto at = static_cast<std::size_t>(i);
    return point.narrow(0, offsets[at], sizes[at]).narrow(1, offsets[at], sizes[at]);
  }
};

/// @throws Error as the constructor of JacobianL1 does
std::shared_ptr<const JacobianTerms> jacobian_terms(const JacobianChain& chain,
                                                    const std::vector<bool>& learned);

/// The same terms over the first `samples` only; nothing if no layer has more samples.
std::shared_ptr<const JacobianTerms> on_first(const JacobianTerms& terms, std::int64_t samples);

/// The side of a part that a one-sided term rotates, as rows.
JacobianRows rows_of(const JacobianTerm& term, const JacobianStack::Part& part);

/// All rows of a one-sided term that are not zero; rows of zeros add nothing.
void for_each_rows(const JacobianTerm& term,
                   const std::function<void(const JacobianRows& rows)>& visit);

}  // namespace descramble
