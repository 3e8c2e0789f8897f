#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace [[gnu::visibility("default")]] descramble {

/// Streaming mean and scatter of rows in float64, in O(d²) memory for any number of rows.
///
/// Each batch is centred, multiplied by GEMM (half of it: the product is symmetric), and merged by
/// the pairwise update of Chan, Golub and LeVeque ("Updating formulae and a pairwise algorithm for
/// computing sample variances", 1979): M ← M_a + M_b + δδᵀ·n_a n_b/(n_a + n_b), δ = mean_b −
/// mean_a. Uncentred or float32 accumulation would give negative eigenvalues.
class Moments {
 public:
  Moments() = default;

  /// Adds rows [N, d] of any real dtype, on any device.
  /// @throws Error for another d, or a non-finite value; then none of the rows is added
  void add(const at::Tensor& rows);
  /// Adds the rows of other moments, from another thread, file or machine.
  void merge(const Moments& other);

  /// N, the number of rows.
  std::int64_t count() const { return count_; }
  /// d; 0 without rows.
  std::int64_t dimension() const { return mean_.defined() ? mean_.size(0) : 0; }

  /// Σ h / N, [d], float64. @throws Error without rows
  at::Tensor mean() const;
  /// Σ (h − mean)(h − mean)ᵀ / N, [d, d], float64. @throws Error without rows
  at::Tensor covariance() const;
  /// Σ h hᵀ / N, [d, d], float64. @throws Error without rows
  at::Tensor second_moment() const;

  /// Rebuilds from saved moments. @throws Error when the sizes do not fit
  static Moments from(std::int64_t count, const at::Tensor& mean, const at::Tensor& covariance);

 private:
  void add_batch(const at::Tensor& rows);

  std::int64_t count_ = 0;
  at::Tensor mean_{};  // [d]
  at::Tensor
      scatter_{};  // Σ (h − mean)(h − mean)ᵀ; only its diagonal and what is right of it count
};

}  // namespace descramble
