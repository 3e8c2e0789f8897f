#include "descramble/basis/basis.h"

#include <algorithm>
#include <numeric>

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/matmul.h>
#include <fmt/format.h>

#include "descramble/basis/orthogonal.h"
#include "descramble/core/error.h"

namespace descramble {

namespace {

/// An upper limit for the error of rounding to single precision.
constexpr double allowed_entry = 1e-5;

std::string sizes_text(const at::Tensor& tensor) {
  std::string text;
  for (const std::int64_t size : tensor.sizes())
    text += (text.empty() ? "" : " x ") + std::to_string(size);
  return text.empty() ? "a number" : text;
}

void require_orthonormal(const at::Tensor& directions, const std::string& where) {
  const at::Tensor gram = directions.t().matmul(directions);
  const at::Tensor off = (gram - at::eye(gram.size(0), at::kDouble)).abs();
  const double worst = off.max().item<double>();
  if (worst <= allowed_entry) return;
  const std::int64_t entry = off.argmax().item<std::int64_t>();
  throw Error({"the basis is not orthonormal", where,
               fmt::format("Q'Q = I within {:.0e} in each entry", allowed_entry),
               fmt::format("{:.3g} off at entry ({}, {})", worst, entry / gram.size(0),
                           entry % gram.size(0))});
}

}  // namespace

Basis::Basis(const at::Tensor& directions, const at::Tensor& mean, const std::string& where)
    : directions_(directions.detach().to(at::kCPU, at::kDouble).contiguous()),
      mean_(mean.detach().to(at::kCPU, at::kDouble).contiguous()) {
  if (mean_.dim() != 1 || mean_.size(0) == 0)
    throw Error({"a basis needs a mean", where, "a vector", sizes_text(mean_)});
  const std::int64_t d = mean_.size(0);
  if (directions_.dim() != 2 || directions_.size(0) != d || directions_.size(1) < 1 ||
      directions_.size(1) > d) {
    throw Error({"the basis has the wrong size", where,
                 fmt::format("{0} x k, 1 <= k <= {0} (a column for each direction)", d),
                 sizes_text(directions_)});
  }
  if (!at::isfinite(directions_).all().item<bool>() || !at::isfinite(mean_).all().item<bool>())
    throw Error({"the basis is not finite", where, "finite numbers", "inf or nan"});
  require_orthonormal(directions_, where);
  // An error of 1e-5 becomes one of 1e-10, and that one rounding.
  directions_ = reorthogonalised(reorthogonalised(directions_)).contiguous();
}

std::string order_name(Order order) {
  switch (order) {
    case Order::descending:
      return "descending";
    case Order::ascending:
      return "ascending";
    case Order::given:
      return "given";
  }
  return "";
}

std::vector<std::string> order_names() {
  return {"descending", "ascending", "given"};
}

Order parse_order(const std::string& name) {
  for (const Order order : {Order::descending, Order::ascending, Order::given}) {
    if (order_name(order) == name) return order;
  }
  throw Error({"unknown order", "", "one of " + quoted_list(order_names()), "'" + name + "'"});
}

at::Tensor explained_variance(const Basis& basis, const at::Tensor& covariance) {
  const std::int64_t d = basis.dimension();
  if (covariance.dim() != 2 || covariance.size(0) != d || covariance.size(1) != d) {
    throw Error({"the covariance does not fit the basis", "", fmt::format("{0} x {0}", d),
                 sizes_text(covariance)});
  }
  const at::Tensor c = covariance.to(at::kCPU, at::kDouble);
  const double total = c.trace().item<double>();
  if (!(total > 0))
    throw Error({"no variance to explain", "", "values that vary", "the same value each time"});
  return (basis.directions() * c.matmul(basis.directions())).sum(0).div_(total);
}

std::vector<std::int64_t> ordered_components(const at::Tensor& explained, Order order) {
  const at::Tensor shares = explained.to(at::kCPU, at::kDouble).contiguous();
  const double* share = shares.data_ptr<double>();
  std::vector<std::int64_t> result(static_cast<std::size_t>(shares.numel()));
  std::iota(result.begin(), result.end(), std::int64_t{0});
  if (order == Order::given) return result;
  std::stable_sort(result.begin(), result.end(), [&](std::int64_t a, std::int64_t b) {
    return order == Order::descending ? share[a] > share[b] : share[a] < share[b];
  });
  return result;
}

std::int64_t components_for(const at::Tensor& explained, double share) {
  const at::Tensor shares = explained.to(at::kCPU, at::kDouble).contiguous();
  double sum = 0;
  std::int64_t count = 0;
  for (const std::int64_t component : ordered_components(shares, Order::descending)) {
    if (sum >= share) break;
    sum += shares.data_ptr<double>()[component];
    ++count;
  }
  return sum >= share ? count : -1;
}

}  // namespace descramble
