#pragma once

#include <functional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/objective/objective.h"
#include "descramble/taps/tapped_model.h"

namespace [[gnu::visibility("default")]] descramble {

/// A differentiable function of Jacobians ∂h₂/∂(P h₁), [B, o, h] in the model's dtype; returns one
/// number.
using JacobianLossFunction = std::function<at::Tensor(const at::Tensor& jacobians)>;

/// f(P) = loss(∂h₂/∂(P h₁)) for the given inputs. The pair P, Pᵀ is inserted at the first tap, and
/// the network is differentiated twice, once for the Jacobian and once for ∂f/∂P. Use it for
/// functions for which the cached stack of JacobianL1 is not enough; it is much slower (see
/// docs/benchmarks.md).
class JacobianLoss final : public Objective {
 public:
  /// Values at the first tap are [B, d]; all of them are rotated.
  /// @throws Error for an unknown tap, taps in the wrong order, values of another shape
  JacobianLoss(const Model& model, std::string from, std::string to, std::vector<at::Tensor> inputs,
               JacobianLossFunction loss);

  std::string name() const override;
  /// d of the first tap.
  std::int64_t dimension() const override { return dimension_; }
  double rounding() const override { return rounding_; }
  double value(const at::Tensor& rotation) const override;
  at::Tensor gradient(const at::Tensor& rotation) const override;
  /// @throws Error when the loss does not return a single real number, or no gradient reaches P
  Evaluation evaluate(const at::Tensor& rotation) const override;

 private:
  TappedModel tapped_;
  std::string from_;
  std::string to_;
  std::vector<at::Tensor> inputs_;
  JacobianLossFunction loss_;
  std::int64_t dimension_ = 0;
  double rounding_ = 0;
};

}  // namespace descramble
