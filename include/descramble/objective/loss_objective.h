#pragma once

#include <functional>
#include <string>
#include <utility>

#include <ATen/core/Tensor.h>

#include "descramble/objective/objective.h"
#include "descramble/taps/tap_values.h"

namespace [[gnu::visibility("default")]] descramble {

/// A differentiable function of the values at a tap, already rotated: takes P h, [n, …] in the
/// shape that h has in the network, in float64; returns one number, a mean over samples.
using TapLoss = std::function<at::Tensor(const at::Tensor& rotated)>;

/// f(P) = Σ_b (n_b/n) loss(P h_b) over the batches b of n_b samples, ∂f/∂P by autograd. The values
/// h do not depend on P: the network is not run again (see TapValues).
class LossObjective final : public Objective {
 public:
  /// The loss of these values, rotated.
  /// @throws Error if `loss` is empty
  LossObjective(TapValues values, TapLoss loss);

  std::string name() const override { return "tap '" + values_.space().name + "'"; }
  /// d of the tap.
  std::int64_t dimension() const override { return values_.space().dimension; }
  /// @throws Error when the loss does not return one real number
  double value(const at::Tensor& rotation) const override;
  /// @throws Error as above, or when no gradient reaches the values
  at::Tensor gradient(const at::Tensor& rotation) const override;
  Evaluation evaluate(const at::Tensor& rotation) const override;

  /// The values that the loss sees rotated.
  const TapValues& values() const { return values_; }

 private:
  double weight_of(const TapValues::Part& part) const;
  at::Tensor checked_loss(const at::Tensor& rotated) const;

  TapValues values_;
  TapLoss loss_;
};

/// Makes an objective from a loss at a tap of a network:
///
///     auto loss = [](const at::Tensor& h) { return h.abs().mean(); };
///     auto best = descramble::minimise(descramble::at_tap(tapped, "fc1", data, loss), {.starts =
///     4});
///
/// A loss that is not a mean over samples (a covariance, a median) needs {.together = true}.
/// @throws Error as TapValues::of does
inline LossObjective at_tap(const TappedModel& tapped, const std::string& tap, const Source& data,
                            TapLoss loss, const TapValues::Options& options = {}) {
  return {TapValues::of(tapped, tap, data, options), std::move(loss)};
}

}  // namespace descramble
