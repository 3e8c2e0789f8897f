#pragma once

#include <ATen/core/Tensor.h>

#include "descramble/basis/orthogonal.h"
#include "descramble/objective/objective.h"

namespace [[gnu::visibility("default")]] descramble {

/// f(P) = −tr(P W). Its minimum makes the rotated weights P W as close as possible to a diagonal
/// with positive entries (‖P W − D‖² falls as the trace grows). W is [out, in], and its diagonal
/// has min(out, in) entries; a convolution's weight is out × (in·k·k). With W = X Σ Yᵀ the maximum
/// of tr(P W) over O(d) is Σσ, attained at P = Y Xᵀ, where P W is symmetric; over SO(d) with det(Y
/// Xᵀ) < 0 it is Σσ − 2 σ_min.
/// @source Amey et al., PNAS 118 (2021), left_diag.m; the maximum is
/// Schönemann's (Psychometrika 31 (1966) 1), von Neumann's trace inequality.
class MaximumDiagonalSum final : public Objective {
 public:
  /// The objective of a weight W. `proper`: over rotations only, no reflections.
  /// @throws Error for a W that is not a finite matrix
  explicit MaximumDiagonalSum(const at::Tensor& weight, bool proper = false);

  std::string name() const override { return "maximum_diagonal_sum"; }
  /// d = out, the number of rows of W.
  std::int64_t dimension() const override { return square_.size(0); }
  double value(const at::Tensor& rotation) const override;
  at::Tensor gradient(const at::Tensor& rotation) const override;
  ObjectiveTraits traits() const override {
    return {
        .is_maximised = true, .is_concave = true, .is_proper = proper_, .has_closed_form = true};
  }
  std::optional<double> optimum() const override;
  std::optional<ExactPoint> solve_exactly() const override;
  std::vector<std::string> warnings() const override;

 private:
  const Polar& polar() const;

  bool proper_;
  at::Tensor square_;  // W as [d, d]: cut or filled with zeros behind column min(out, in)
  mutable std::optional<Polar> polar_{};
};

/// f(P) = −Σ_i (P W)_ii². Its minimum puts as much as possible of the weights' energy on the
/// diagonal, with any signs. W as in MaximumDiagonalSum. The sum is convex in P, so P ←
/// polar(diag(c) Wᵀ), c_i = (P W)_ii, never lowers it (solver `generalized_power`); it starts from
/// the maximum diagonal sum. Bound: if Y = sym(W diag(c) P) is positive definite (or semidefinite
/// with the columns w_i of W in its range, Y⁻¹ the pseudo-inverse), no P has more than tr(Y)·max_i
/// w_iᵀ Y⁻¹ w_i.
class MaximumDiagonalNormSquare final : public Objective {
 public:
  /// The objective of a weight W.
  /// @throws Error for a W that is not a finite matrix
  explicit MaximumDiagonalNormSquare(const at::Tensor& weight);

  std::string name() const override { return "maximum_diagonal_norm_square"; }
  /// d = out, the number of rows of W.
  std::int64_t dimension() const override { return square_.size(0); }
  double value(const at::Tensor& rotation) const override;
  at::Tensor gradient(const at::Tensor& rotation) const override;
  ObjectiveTraits traits() const override { return {.is_maximised = true, .is_concave = true}; }
  /// The bound above, negated; absent where Y is not positive definite at the point found.
  std::optional<double> lower_bound(const at::Tensor& found) const override;
  std::vector<Guess> guesses() const override;
  std::vector<std::string> warnings() const override;

 private:
  const Polar& polar() const;  // of the maximum diagonal sum

  at::Tensor square_;
  mutable std::optional<Polar> polar_{};
};

}  // namespace descramble
