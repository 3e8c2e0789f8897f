#include "descramble/stats/moments.h"

#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "descramble/core/error.h"

namespace descramble {

namespace {

// The scatter is symmetric: blocks on and right of its diagonal hold it, the rest stays zero.
// Blocks of this width are large enough for GEMM to run at its full rate.
constexpr std::int64_t block_width = 512;

/// Rows at a time: at least enough for a fast GEMM, at most about 32 MiB of float64.
std::int64_t rows_at_a_time(std::int64_t d) {
  return std::max<std::int64_t>(512, (std::int64_t{1} << 22) / d);
}

void require_same_dimension(std::int64_t expected, std::int64_t found) {
  if (expected != found) {
    throw Error({"the rows have another length than before", "", fmt::format("d = {}", expected),
                 fmt::format("d = {}", found)});
  }
}

/// scatter += rowsᵀ rows, blocks on and right of the diagonal.
void add_gram(at::Tensor& scatter, const at::Tensor& rows) {
  const std::int64_t d = scatter.size(0);
  for (std::int64_t begin = 0; begin < d; begin += block_width) {
    const std::int64_t end = std::min(begin + block_width, d);
    scatter.slice(0, begin, end)
        .slice(1, begin, d)
        .addmm_(rows.slice(1, begin, end).t(), rows.slice(1, begin, d));
  }
}

}  // namespace

void Moments::add(const at::Tensor& rows) {
  if (rows.dim() != 2 || rows.size(1) == 0) {
    throw Error({"moments take rows", "", "a matrix N x d, d >= 1",
                 rows.dim() == 2 ? fmt::format("{} x 0", rows.size(0))
                                 : fmt::format("{} dimensions", rows.dim())});
  }
  if (rows.is_complex() || rows.is_quantized()) {
    throw Error({"moments take rows", "", "a real dtype", c10::toString(rows.scalar_type())});
  }
  const std::int64_t n = rows.size(0);
  const std::int64_t d = rows.size(1);
  if (count_ > 0) require_same_dimension(dimension(), d);
  if (n == 0) return;
  const at::Tensor plain = rows.detach();
  // All values are checked first, so that no part of a refused batch is added.
  // (A finite sum has finite terms; the sum of finite terms may overflow.)
  if (plain.is_floating_point() && !std::isfinite(plain.sum().item<double>()) &&
      !at::isfinite(plain).all().item<bool>()) {
    throw Error({"non-finite values", "", "finite numbers", "NaN or infinity among the rows"});
  }
  if (count_ == 0) {
    mean_ = at::zeros({d}, at::kDouble);
    scatter_ = at::zeros({d, d}, at::kDouble);
  }
  for (std::int64_t begin = 0; begin < n; begin += rows_at_a_time(d)) {
    add_batch(plain.slice(0, begin, std::min(begin + rows_at_a_time(d), n)));
  }
}

void Moments::add_batch(const at::Tensor& rows) {
  const std::int64_t n = rows.size(0);
  // One row more than the batch holds √w·δ: Chan's rank-one term becomes a part of the product.
  at::Tensor centred = at::empty({n + 1, rows.size(1)}, at::kDouble);
  at::Tensor batch = centred.slice(0, 0, n);
  batch.copy_(rows);
  const at::Tensor mean = batch.mean(0);
  batch.sub_(mean);
  const at::Tensor delta = mean - mean_;
  const double total = static_cast<double>(count_ + n);
  const double weight = static_cast<double>(count_) * static_cast<double>(n) / total;
  centred.select(0, n).copy_(delta).mul_(std::sqrt(weight));
  add_gram(scatter_, count_ > 0 ? centred : batch);
  mean_.add_(delta, static_cast<double>(n) / total);
  count_ += n;
}

void Moments::merge(const Moments& other) {
  if (other.count_ == 0) return;
  if (count_ == 0) {
    count_ = other.count_;
    mean_ = other.mean_.clone();
    scatter_ = other.scatter_.clone();
    return;
  }
  require_same_dimension(dimension(), other.dimension());
  const at::Tensor delta = other.mean_ - mean_;
  const double total = static_cast<double>(count_ + other.count_);
  const double weight = static_cast<double>(count_) * static_cast<double>(other.count_) / total;
  scatter_ = scatter_ + other.scatter_;  // into new memory: `other` may be this object
  add_gram(scatter_, (delta * std::sqrt(weight)).unsqueeze(0));
  mean_ = mean_ + delta * (static_cast<double>(other.count_) / total);
  count_ += other.count_;
}

at::Tensor Moments::mean() const {
  if (count_ == 0) throw Error({"no moments", "", "at least one row", "none"});
  return mean_.clone();
}

at::Tensor Moments::covariance() const {
  if (count_ == 0) throw Error({"no moments", "", "at least one row", "none"});
  // The strict upper part, mirrored: GEMM's rounding need not be symmetric inside a block.
  const at::Tensor upper = scatter_.triu(1);
  return (upper + upper.t() + scatter_.diagonal().diag()).div_(static_cast<double>(count_));
}

at::Tensor Moments::second_moment() const {
  return covariance().add_(at::outer(mean_, mean_));
}

Moments Moments::from(std::int64_t count, const at::Tensor& mean, const at::Tensor& covariance) {
  if (count < 1 || mean.dim() != 1 || covariance.dim() != 2 || covariance.size(0) != mean.size(0) ||
      covariance.size(1) != mean.size(0)) {
    throw Error(
        {"moments do not fit together", "", "count >= 1, mean [d], covariance [d, d]",
         fmt::format("count {}, {} and {} dimensions", count, mean.dim(), covariance.dim())});
  }
  Moments result;
  result.count_ = count;
  result.mean_ = mean.detach().to(at::kCPU, at::kDouble, false, /*copy=*/true);
  result.scatter_ = covariance.detach().to(at::kCPU, at::kDouble) * static_cast<double>(count);
  return result;
}

}  // namespace descramble
