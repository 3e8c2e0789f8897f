#include "descramble/basis/orthogonal.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linalg_slogdet.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/outer.h>
#include <fmt/format.h>

#include "descramble/core/error.h"

namespace descramble {

namespace {

bool is_improper(const at::Tensor& rotation) {
  return std::get<0>(at::linalg_slogdet(rotation)).item<double>() < 0;
}

}  // namespace

double distance_from_orthogonal(const at::Tensor& matrix) {
  const at::Tensor plain = matrix.to(at::kDouble);
  return (plain.t().matmul(plain) - at::eye(plain.size(0), plain.options())).norm().item<double>();
}

at::Tensor haar_rotation(std::int64_t d, RandomStream& random, bool proper) {
  at::Tensor rotation = random.haar_tensor(d);
  if (proper && is_improper(rotation)) rotation.select(0, d - 1).neg_();
  return rotation;
}

at::Tensor reorthogonalised(const at::Tensor& rotation) {
  const at::Tensor gram = rotation.t().matmul(rotation);
  return 1.5 * rotation - 0.5 * rotation.matmul(gram);
}

Polar canonical_polar(const at::Tensor& matrix, bool proper) {
  if (matrix.dim() != 2 || matrix.size(0) != matrix.size(1) || matrix.size(0) == 0 ||
      !at::isfinite(matrix).all().item<bool>()) {
    throw Error({"no polar factor", "", "a finite square matrix",
                 matrix.dim() == 2 ? fmt::format("{} x {}", matrix.size(0), matrix.size(1))
                                   : fmt::format("{} dimensions", matrix.dim())});
  }
  const std::int64_t d = matrix.size(0);
  const auto [u, values, vt] = at::linalg_svd(matrix.to(at::kDouble), true);
  Polar result;
  result.singular = values;
  const double floor = 1e-12 * static_cast<double>(d) * values[0].item<double>();
  result.rank = values.gt(floor).sum().item<std::int64_t>();
  if (values[0].item<double>() == 0) {
    result.rank = 0;
    result.rotation = at::eye(d, at::kDouble);
    return result;
  }
  at::Tensor right = vt;
  at::Tensor last_left = u.select(1, d - 1);
  at::Tensor last_right = vt.select(0, d - 1);
  if (result.rank < d) {
    const at::Tensor u0 = u.slice(1, result.rank);
    const at::Tensor v0t = vt.slice(0, result.rank);
    const auto [a, overlap, bt] = at::linalg_svd(u0.t().matmul(v0t.t()), true);
    right = vt.clone();
    right.slice(0, result.rank).copy_(a.matmul(bt).matmul(v0t));
    // Turns the null direction that keeps the result nearest to the identity.
    last_left = u0.matmul(a.select(1, d - result.rank - 1));
    last_right = bt.select(0, d - result.rank - 1).matmul(v0t);
  }
  result.rotation = u.matmul(right).contiguous();
  result.turned = proper && is_improper(result.rotation);
  if (result.turned) {
    result.rotation = result.rotation - 2 * at::outer(last_left, last_right);
  }
  return result;
}

}  // namespace descramble
