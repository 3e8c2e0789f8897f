#pragma once

#include <ATen/core/Tensor.h>

#include "descramble/objective/loss_objective.h"
#include "descramble/objective/objective.h"
#include "descramble/objective/stencil.h"

namespace [[gnu::visibility("default")]] descramble {

/// Eigenvectors of a symmetric matrix in a canonical gauge (see minimise_smoothness_exactly).
struct CanonicalEigen {
  at::Tensor values{};          ///< descending, [d]
  at::Tensor vectors{};         ///< columns
  std::int64_t degenerate = 0;  ///< number of vectors in clusters of equal values
};

/// Neighbouring values with a distance of at most relative·d·(largest magnitude) are in one
/// cluster.
CanonicalEigen canonical_eigen(const at::Tensor& symmetric, double relative = 1e-12);

/// Smoothness of rotated activations: f(P) = ‖D P F‖²_F / N = Σ_i λ_i (Tᵀ P C Pᵀ T)_ii, with
/// DᵀD = T Λ Tᵀ (λ ascending) and C = F Fᵀ/N (d×d): the covariance when centred, the raw second
/// moment otherwise.
/// @source Amey, Keeley, Choudhury, Kuprov, PNAS 118 (2021), "descrambler
/// groups".
class Smoothness final : public Objective {
 public:
  /// `moment`: C, [d, d], symmetric, float64. @throws Error when it is not
  Smoothness(Stencil stencil, at::Tensor moment);

  std::string name() const override { return "smoothness"; }
  /// d, the size of C.
  std::int64_t dimension() const override { return moment_.size(0); }
  /// D.
  Stencil stencil() const { return stencil_; }

  /// f(P) for any P [d, d]. Never computes DᵀD: its rounding would hide the smooth modes.
  double value(const at::Tensor& rotation) const override;
  /// ∂f/∂P = 2 A P C, [d, d].
  at::Tensor gradient(const at::Tensor& rotation) const override;
  Evaluation evaluate(const at::Tensor& rotation) const override;
  std::optional<double> optimum() const override;
  ObjectiveTraits traits() const override { return {.has_closed_form = true}; }
  std::optional<ExactPoint> solve_exactly() const override;
  std::vector<std::string> warnings() const override;

  /// Eigenvectors of C in the canonical gauge; computed once, on first use.
  const CanonicalEigen& eigen() const;
  /// C, [d, d], float64.
  const at::Tensor& moment() const { return moment_; }
  /// λ and T of the stencil.
  const StencilSpectrum& spectrum() const { return spectrum_; }

 private:
  Stencil stencil_;
  at::Tensor moment_;
  StencilSpectrum spectrum_;
  mutable std::optional<CanonicalEigen> eigen_{};
};

/// The same quantity as a loss of tapped values, for the route through autograd: the mean over rows
/// of Σ_i λ_i (Tᵀh)_i². at_tap(tapped, tap, data, smoothness_loss(stencil, axis)) equals Smoothness
/// of the raw second moment.
TapLoss smoothness_loss(Stencil stencil, Axis axis);

/// A minimiser in closed form, in a canonical gauge.
struct ExactSmoothness {
  at::Tensor rotation{};     ///< P* = T Uᵀ, [d, d], det +1
  double value = 0;          ///< f(P*), evaluated
  double optimum = 0;        ///< Σ λ_i μ_i, λ ascending, μ descending: the minimum over O(d)
  at::Tensor eigenvalues{};  ///< μ of C, descending, [d]
  /// Number of directions in clusters of equal μ (which the optimum does not distinguish).
  std::int64_t degenerate = 0;
};

/// By von Neumann's trace inequality the minimum over O(d) pairs ascending λ with descending μ. It
/// is unique up to rotations inside equal-λ pairs and equal-μ clusters, and signs. This function
/// chooses as follows: inside a μ cluster it takes the basis of a pivoted Cholesky factorisation of
/// its projector; the entry of largest magnitude of each eigenvector is positive; the larger μ of a
/// pair belongs to the cosine; det is +1 by P ← P − 2 t_d u_dᵀ.
ExactSmoothness minimise_smoothness_exactly(const Smoothness& objective);

/// The optimum nearest to `reference` among the optima that differ from `rotation` = T Uᵀ only
/// inside blocks of equal λ: T B Uᵀ with B_b = polar(T_bᵀ reference U_b) for each block b. Use it
/// to compare two optima.
at::Tensor align_gauge(const StencilSpectrum& spectrum, const at::Tensor& rotation,
                       const at::Tensor& reference);

}  // namespace descramble
