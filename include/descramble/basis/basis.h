#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace descramble {

/// Directions of a layer's value and the point that they start from: h = mean + Σ qᵢ qᵢᵀ(h − mean)
/// where they span the whole space.
class Basis {
 public:
  /// Q [d, k] with orthonormal columns, mean [d]; held in float64 on the CPU. A Q that was rounded
  /// to single precision is made orthonormal again (Newton–Schulz). `where` names it in errors.
  /// @throws Error for sizes that do not fit, numbers that are not finite, or an entry of QᵀQ − I
  /// beyond 1e-5: how far off, and at which entry
  Basis(const at::Tensor& directions, const at::Tensor& mean, const std::string& where = "");

  const at::Tensor& directions() const { return directions_; }  ///< Q
  const at::Tensor& mean() const { return mean_; }
  std::int64_t dimension() const { return directions_.size(0); }  ///< d
  std::int64_t size() const { return directions_.size(1); }       ///< k

 private:
  at::Tensor directions_;
  at::Tensor mean_;
};

/// In which order the components of a basis are ablated: by the variance that they explain, largest
/// or smallest first, or as the basis has them.
enum class Order { descending, ascending, given };

std::string order_name(Order order);
std::vector<std::string> order_names();
/// @throws Error for an unknown name
Order parse_order(const std::string& name);

/// What share of the variance lies along each component: diag(QᵀCQ) / tr C, [k], float64. Together
/// 1 for a whole basis. The cumulative curve of the principal components is nowhere below that of
/// another orthonormal basis (Schur and Horn).
/// @throws Error for a covariance of another size, or without variance
at::Tensor explained_variance(const Basis& basis, const at::Tensor& covariance);

/// The indices of the components in that order; equal shares stand by index.
std::vector<std::int64_t> ordered_components(const at::Tensor& explained, Order order);

/// How many components, those that explain most first, explain at least `share` of the variance
/// together; −1 where all of them do not. A count from one: a curve that is annotated with the
/// zero-based index of the last of them, as published ones are, says one less.
std::int64_t components_for(const at::Tensor& explained, double share);

}  // namespace descramble
