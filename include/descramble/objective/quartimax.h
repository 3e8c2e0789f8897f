#pragma once

#include <utility>

#include <ATen/core/Tensor.h>

#include "descramble/objective/objective.h"

namespace [[gnu::visibility("default")]] descramble {

/// f(P) = −Σ_i mean_n (P h_n)_i⁴ over rows h_n. The maximum of the ℓ⁴ norm over rotations prefers
/// few large entries among many small ones: a smooth measure of sparsity. The sum is convex in P.
/// @source Neuhaus and Wrigley, Brit. J. Stat. Psych. 7 (1954) 81 (quartimax); Zhai et al.,
/// "Complete dictionary learning via ℓ⁴-norm maximization over the orthogonal group", JMLR 21
/// (2020).
class Quartimax final : public Objective {
 public:
  /// `rows`: h, which are not centred here (see TapValues::centred).
  explicit Quartimax(TapValues rows) : rows_(std::move(rows)) {}

  std::string name() const override { return "quartimax of '" + rows_.space().name + "'"; }
  /// d of the tap.
  std::int64_t dimension() const override { return rows_.space().dimension; }
  double value(const at::Tensor& rotation) const override;
  at::Tensor gradient(const at::Tensor& rotation) const override;
  Evaluation evaluate(const at::Tensor& rotation) const override;
  ObjectiveTraits traits() const override { return {.is_maximised = true, .is_concave = true}; }

 private:
  Evaluation sums(const at::Tensor& rotation, bool with_gradient) const;

  TapValues rows_;
};

}  // namespace descramble
