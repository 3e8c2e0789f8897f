#include "descramble/stats/moments.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "descramble/core/error.h"

namespace descramble {

namespace {

void require_same_dimension(std::int64_t expected, std::int64_t found) {
  if (expected != found) {
    throw Error({"the rows have another length than before", "", fmt::format("d = {}", expected), fmt::format("d = {}", found)});
  }
}

}  // namespace

void Moments::add(const at::Tensor& rows) {
  if (rows.dim() != 2) throw Error({"moments take rows", "", "a matrix N x d", fmt::format("{} dimensions", rows.dim())});
  const std::int64_t n = rows.size(0);
  if (n == 0) return;
  at::Tensor batch = rows.detach().to(at::kCPU, at::kDouble, false, /*copy=*/true);
  at::Tensor mean = batch.mean(0);
  if (!at::isfinite(mean).all().item<bool>()) {
    throw Error({"non-finite values", "", "finite numbers", "NaN or infinity among the rows"});
  }
  if (count_ == 0) {
    mean_ = at::zeros({rows.size(1)}, at::kDouble);
    scatter_ = at::zeros({rows.size(1), rows.size(1)}, at::kDouble);
  }
  require_same_dimension(dimension(), rows.size(1));
  batch.sub_(mean);
  const at::Tensor delta = mean - mean_;
  const double total = static_cast<double>(count_ + n);
  const double weight = static_cast<double>(count_) * static_cast<double>(n) / total;
  scatter_.addmm_(batch.t(), batch);
  if (count_ > 0) scatter_.addr_(delta, delta, 1.0, weight);
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
  scatter_.add_(other.scatter_);
  scatter_.addr_(delta, delta, 1.0, static_cast<double>(count_) * static_cast<double>(other.count_) / total);
  mean_.add_(delta, static_cast<double>(other.count_) / total);
  count_ += other.count_;
}

at::Tensor Moments::mean() const {
  if (count_ == 0) throw Error({"no moments", "", "at least one row", "none"});
  return mean_.clone();
}

at::Tensor Moments::covariance() const {
  if (count_ == 0) throw Error({"no moments", "", "at least one row", "none"});
  const at::Tensor covariance = scatter_ / static_cast<double>(count_);
  return (covariance + covariance.t()) / 2;  // GEMM's rounding need not be symmetric
}

at::Tensor Moments::second_moment() const { return covariance() + at::outer(mean_, mean_); }

Moments Moments::from(std::int64_t count, const at::Tensor& mean, const at::Tensor& covariance) {
  if (count < 1 || mean.dim() != 1 || covariance.dim() != 2 || covariance.size(0) != mean.size(0) ||
      covariance.size(1) != mean.size(0)) {
    throw Error({"moments do not fit together", "", "count >= 1, mean [d], covariance [d, d]",
                 fmt::format("count {}, {} and {} dimensions", count, mean.dim(), covariance.dim())});
  }
  Moments result;
  result.count_ = count;
  result.mean_ = mean.to(at::kDouble).clone();
  result.scatter_ = covariance.to(at::kDouble) * static_cast<double>(count);
  return result;
}

}  // namespace descramble
