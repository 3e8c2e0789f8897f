#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace [[gnu::visibility("default")]] descramble {

/// Directions of a layer's value and their origin. If the directions span the whole space,
/// h = mean + Σ qᵢ qᵢᵀ(h − mean).
class Basis {
 public:
  /// Q [d, k] with orthonormal columns, mean [d]; stored in float64 on the CPU. A Q that was
  /// rounded to single precision is made orthonormal again (Newton–Schulz). `where` names it in
  /// errors.
  /// @throws Error for sizes that do not fit, numbers that are not finite, or an entry of QᵀQ − I
  /// beyond 1e-5 (the error names the entry and its size)
  Basis(const at::Tensor& directions, const at::Tensor& mean, const std::string& where = "");

  const at::Tensor& directions() const { return directions_; }  ///< Q
  /// The point through which the directions run, [d], float64.
  const at::Tensor& mean() const { return mean_; }
  std::int64_t dimension() const { return directions_.size(0); }  ///< d
  std::int64_t size() const { return directions_.size(1); }       ///< k

 private:
  at::Tensor directions_;
  at::Tensor mean_;
};

/// The order in which the components of a basis are ablated.
enum class Order {
  descending,  ///< by the variance that they explain, the largest first
  ascending,   ///< by the variance that they explain, the smallest first
  given        ///< as the basis has them
};

/// "descending", "ascending", "given".
std::string order_name(Order order);
/// The names of all orders.
std::vector<std::string> order_names();
/// The order of that name.
/// @throws Error for an unknown name
Order parse_order(const std::string& name);

/// The share of the variance along each component: diag(QᵀCQ) / tr C, [k], float64. The shares of a
/// whole basis sum to 1. The cumulative curve of the principal components is nowhere below the
/// curve of another orthonormal basis (Schur and Horn).
/// @throws Error for a covariance of another size, or without variance
at::Tensor explained_variance(const Basis& basis, const at::Tensor& covariance);

/// The indices of the components in that order; equal shares are ordered by index.
std::vector<std::int64_t> ordered_components(const at::Tensor& explained, Order order);

/// The number of components, the largest share first, that together explain at least `share` of the
/// variance; −1 if all of them explain less. The count begins at one. Published curves are
/// annotated with the zero-based index of the last component, which is one less.
std::int64_t components_for(const at::Tensor& explained, double share);

}  // namespace descramble
