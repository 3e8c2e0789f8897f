#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace [[gnu::visibility("default")]] descramble {

/// How d(d − 1)/2 free numbers θ describe a rotation near a base point P₀. S(θ) is the skew
/// d×d matrix with θ below its diagonal (row by row) and −θ above. All charts are differentiable,
/// and every θ gives a rotation.
enum class Chart {
  /// P = (I − S/2)⁻¹(I + S/2) P₀, and P₀ moves to P each time that θ has changed. With a fixed P₀
  /// the chart reaches the rotations P with no eigenvalue −1 of P P₀ᵀ; with the moving P₀ it
  /// reaches
  /// all of SO(d)·P₀.
  cayley,
  /// P = exp(S) P₀ with P₀ fixed. Every rotation in SO(d)·P₀; the map is not one to one, and its
  /// derivative is singular where two eigenvalues iα, iβ of S differ by a multiple of 2πi.
  exponential,
  /// P = (I − S/2)⁻¹(I + S/2) P₀ with P₀ fixed: the Cayley parametrisation of Amey et al. (PNAS
  /// 118, 2021). It never reaches a P for which P P₀ᵀ has the eigenvalue −1 (a half turn, or two
  /// swapped signs); near such P, θ grows without bound.
  static_cayley
};

/// "cayley", "exponential", "static_cayley".
std::string chart_name(Chart chart);
/// The names of all charts.
std::vector<std::string> chart_names();
/// Says in one sentence which rotations the chart reaches.
std::string chart_range(Chart chart);
/// The chart of that name.
/// @throws Error for an unknown name
Chart parse_chart(const std::string& name);

/// S(θ): skew [d, d] of θ [d(d − 1)/2]; differentiable. @throws Error when the number does not fit
at::Tensor skew_matrix(const at::Tensor& parameters, std::int64_t d);

/// (I − S/2)⁻¹(I + S/2) = 2 (I − S/2)⁻¹ − I; orthogonal for skew S; differentiable.
at::Tensor cayley(const at::Tensor& skew);

/// The chart's rotation of the base point: cayley(S) P₀ or exp(S) P₀; differentiable.
at::Tensor rotation_of(Chart chart, const at::Tensor& skew, const at::Tensor& base);

}  // namespace descramble
