#include "descramble/objective/maximum_diagonal.h"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/ops/diag.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "descramble/core/error.h"

namespace descramble {

namespace {

at::Tensor squared_up(const at::Tensor& weight, const std::string& name) {
  if (weight.dim() < 2 || weight.numel() == 0 || !at::isfinite(weight).all().item<bool>()) {
    throw Error({"bad weight", name, "a finite matrix, out x in",
                 weight.dim() < 2 ? fmt::format("{} dimensions", weight.dim())
                                  : "numbers that are not finite, or none"});
  }
  const at::Tensor matrix = weight.detach().to(at::kCPU, at::kDouble).flatten(1);
  const std::int64_t d = matrix.size(0);
  at::Tensor square = at::zeros({d, d}, at::kDouble);
  const std::int64_t diagonal = std::min(d, matrix.size(1));
  square.slice(1, 0, diagonal).copy_(matrix.slice(1, 0, diagonal));
  return square;
}

/// diag(P W), c.
at::Tensor diagonal_of_product(const at::Tensor& rotation, const at::Tensor& square) {
  return rotation.to(at::kDouble).mul(square.t()).sum(1);
}

std::string free_rows(std::int64_t rank, std::int64_t d) {
  return fmt::format(
      "the weights that count for the diagonal have rank {} of {}: {} directions cost nothing "
      "wherever they are put; the rotation nearest to the identity is taken",
      rank, d, d - rank);
}

}  // namespace

MaximumDiagonalSum::MaximumDiagonalSum(const at::Tensor& weight, bool proper)
    : proper_(proper), square_(squared_up(weight, "maximum_diagonal_sum")) {}

double MaximumDiagonalSum::value(const at::Tensor& rotation) const {
  require_rotation_size(rotation, *this);
  return -diagonal_of_product(rotation, square_).sum().item<double>();
}

at::Tensor MaximumDiagonalSum::gradient(const at::Tensor& rotation) const {
  require_rotation_size(rotation, *this);
  return -square_.t();
}

const Polar& MaximumDiagonalSum::polar() const {
  if (!polar_) polar_ = canonical_polar(square_.t(), proper_);
  return *polar_;
}

std::optional<double> MaximumDiagonalSum::optimum() const {
  const double sum = polar().singular.sum().item<double>();
  return polar().turned ? -(sum - 2 * polar().singular[-1].item<double>()) : -sum;
}

std::optional<ExactPoint> MaximumDiagonalSum::solve_exactly() const {
  return ExactPoint{polar().rotation, dimension() - polar().rank};
}

std::vector<std::string> MaximumDiagonalSum::warnings() const {
  if (polar().rank == dimension()) return {};
  return {free_rows(polar().rank, dimension())};
}

MaximumDiagonalNormSquare::MaximumDiagonalNormSquare(const at::Tensor& weight)
    : square_(squared_up(weight, "maximum_diagonal_norm_square")) {}

double MaximumDiagonalNormSquare::value(const at::Tensor& rotation) const {
  require_rotation_size(rotation, *this);
  return -diagonal_of_product(rotation, square_).square().sum().item<double>();
}

at::Tensor MaximumDiagonalNormSquare::gradient(const at::Tensor& rotation) const {
  require_rotation_size(rotation, *this);
  return -2 * diagonal_of_product(rotation, square_).unsqueeze(1) * square_.t();
}

std::optional<double> MaximumDiagonalNormSquare::lower_bound(const at::Tensor& found) const {
  require_rotation_size(found, *this);
  const at::Tensor c = diagonal_of_product(found, square_);
  const at::Tensor product = square_.matmul(at::diag(c)).matmul(found.to(at::kDouble));
  // (pᵀw)² ≤ (pᵀY p)(wᵀY⁻¹w) for each row p of P; summed, Σ pᵀY p = tr Y. If Y has null
  // directions, the columns w must have no component along them.
  const auto [values, vectors] = at::linalg_eigh((product + product.t()) / 2);
  const double largest = values[-1].item<double>();
  const double floor = 1e-12 * static_cast<double>(dimension()) * largest;
  if (!(largest > 0) || values[0].item<double>() < -floor) return std::nullopt;
  const std::int64_t null = values.le(floor).sum().item<std::int64_t>();
  const at::Tensor inside = vectors.t().matmul(square_);
  if (null > 0) {
    const double outside = inside.slice(0, 0, null).norm().item<double>();
    if (outside > 1e-10 * square_.norm().item<double>()) return std::nullopt;
  }
  const at::Tensor ratio =
      inside.slice(0, null).square().div(values.slice(0, null).unsqueeze(1)).sum(0);  // wᵢᵀ Y⁻¹ wᵢ
  return -(values.slice(0, null).sum() * ratio.max()).item<double>();
}

const Polar& MaximumDiagonalNormSquare::polar() const {
  if (!polar_) polar_ = canonical_polar(square_.t());
  return *polar_;
}

std::vector<Guess> MaximumDiagonalNormSquare::guesses() const {
  return {{"maximum diagonal sum", polar().rotation}};
}

std::vector<std::string> MaximumDiagonalNormSquare::warnings() const {
  if (polar().rank == dimension()) return {};
  return {free_rows(polar().rank, dimension())};
}

}  // namespace descramble
