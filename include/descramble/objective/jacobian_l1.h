#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/config/settings.h"
#include "descramble/jacobian/jacobian_stack.h"
#include "descramble/objective/objective.h"

namespace [[gnu::visibility("default")]] descramble {

struct JacobianTerms;

/// f = Σ over layers of mean_x Σ |P_{i+1} J_i(x) P_iᵀ|. J_i is the Jacobian from tap i to tap i + 1
/// of a chain. P_i is a rotation of the values at tap i: learned, or the identity (the neurons).
/// The learned rotations, in the order of the taps, are the diagonal blocks of the point. The
/// Jacobians do not depend on the rotations, so they are cached (see JacobianStack) and no second
/// derivative is needed.
/// @source Baker, "Taking the parameters which seem to matter and rotating
/// them until they don't" (2022).
///
/// The smoothed objective replaces |z| by the pseudo-Huber function √(z² + ε²) − ε. The unit of ε
/// is the root mean square of each layer's Jacobians, which rotations do not change.
class JacobianL1 final : public Objective {
 public:
  /// `learned`: one flag for each tap of the chain. @throws Error when sizes along the chain do not
  /// fit, nothing is learned, or all Jacobians are zero
  JacobianL1(const JacobianChain& chain, const std::vector<bool>& learned);
  ~JacobianL1() override;

  std::string name() const override;
  /// The sum of the learned taps' dimensions.
  std::int64_t dimension() const override;
  std::vector<std::int64_t> blocks() const override;
  double value(const at::Tensor& rotation) const override;
  at::Tensor gradient(const at::Tensor& rotation) const override;
  Evaluation evaluate(const at::Tensor& rotation) const override;

  ObjectiveTraits traits() const override { return {.is_sharp = epsilon_ == 0}; }
  std::unique_ptr<Objective> smoothed(double epsilon) const override;
  double rounding() const override;
  /// The number of samples that the mean is over.
  std::int64_t samples() const;
  double cost() const override;
  std::unique_ptr<Objective> on_fewer(std::int64_t samples) const override;
  /// If both rotations of a layer are learned: Σ ‖J‖_* ≤ L1, attained by a single linear layer. If
  /// one is learned: Σ ‖row‖₂ over the rows that it rotates, which is never less than Σ ‖J‖_*. The
  /// bound is reduced by the error that rounding may add.
  std::optional<double> lower_bound(const at::Tensor& found) const override;
  /// The singular vectors of the mean Jacobians, and the maximum of Σ z⁴ (quartimax) that starts
  /// from them. If all samples share one matrix, also the rotation that makes it triangular.
  std::vector<Guess> guesses() const override;
  std::vector<std::string> warnings() const override;

  /// value / (√(numel)·‖J‖_F), with all samples as one array: 1/√(numel) for a single entry, about
  /// 0.8 for Gaussian entries, 1 for equal entries. Rotations change only the numerator.
  double sparsity(double value) const;

  const std::vector<std::string>& taps() const;  ///< the learned taps, in the order of the blocks

 private:
  JacobianL1(std::shared_ptr<const JacobianTerms> terms, double epsilon);
  Evaluation sums(const at::Tensor& rotation, bool with_gradient) const;

  std::shared_ptr<const JacobianTerms> terms_;
  double epsilon_ = 0;
};

/// Checks that `taps` has two or more names, no patterns, and each name once. @throws Error if not
void require_chain(const std::vector<std::string>& taps);
/// Which of the chain's taps are learned: the taps that `learn` names, or all but the last if it
/// names none. @throws Error for a name that is not in the chain
std::vector<bool> learned_flags(const std::vector<std::string>& chain,
                                const std::vector<std::string>& learn);

/// The chain: "taps" of a config. @throws Error for fewer than two taps, a pattern, or a repeated
/// tap
std::vector<std::string> chain_taps(const Settings& settings);
/// Which of the chain's taps a config learns: the taps that "learn" names, or all but the last if
/// it is null. @throws Error for a name that is not in the chain
std::vector<bool> learned_taps(const Settings& settings, const std::vector<std::string>& chain);

}  // namespace descramble
