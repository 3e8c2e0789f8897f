#include "descramble/objective/smoothness.h"

#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/linalg_slogdet.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include "descramble/core/error.h"

namespace descramble {

Smoothness::Smoothness(Stencil stencil, at::Tensor moment)
    : stencil_(stencil), moment_(moment.to(at::kDouble)) {
  if (moment_.dim() != 2 || moment_.size(0) != moment_.size(1) || moment_.size(0) == 0) {
    throw Error({"bad moment", "smoothness", "a square matrix",
                 fmt::format("{} dimensions", moment_.dim())});
  }
  const double scale = moment_.abs().max().item<double>();
  const double skew = (moment_ - moment_.t()).abs().max().item<double>();
  if (!std::isfinite(scale) || !(skew <= 1e-10 * scale + 1e-300)) {
    throw Error({"bad moment", "smoothness", "a finite symmetric matrix",
                 fmt::format("max |C| {:.3g}, max |C - Ct| {:.3g}", scale, skew)});
  }
  spectrum_ = stencil_spectrum(stencil, moment_.size(0));
}

double Smoothness::value(const at::Tensor& rotation) const {
  require_rotation_size(rotation, *this);
  const at::Tensor rows = spectrum_.vectors.t().matmul(rotation.to(at::kDouble));  // Tᵀ P
  const at::Tensor energy = rows.matmul(moment_).mul(rows).sum(1);  // (Tᵀ P C Pᵀ T)_ii
  return spectrum_.values.dot(energy).item<double>();
}

at::Tensor Smoothness::gradient(const at::Tensor& rotation) const {
  return evaluate(rotation).gradient;
}

Evaluation Smoothness::evaluate(const at::Tensor& rotation) const {
  require_rotation_size(rotation, *this);
  const at::Tensor rows = spectrum_.vectors.t().matmul(rotation.to(at::kDouble));
  const at::Tensor turned = rows.matmul(moment_);  // Tᵀ P C
  const at::Tensor energy = turned.mul(rows).sum(1);
  return {spectrum_.values.dot(energy).item<double>(),
          2 * spectrum_.vectors.matmul(spectrum_.values.unsqueeze(1) * turned)};
}

std::vector<std::string> Smoothness::warnings() const {
  std::vector<std::string> result;
  if (stencil_ == Stencil::central_periodic) {
    result.emplace_back(
        "the central stencil's spectrum is sin^2(2 pi k/d): it takes the highest frequency for as "
        "smooth as the mean");
  }
  const at::Tensor& values = eigen().values;
  const double floor = 1e-13 * static_cast<double>(dimension()) * values[0].item<double>();
  const std::int64_t rank = values.gt(floor).sum().item<std::int64_t>();
  if (rank < dimension()) {
    result.push_back(fmt::format(
        "the activations span {0} of {1} directions; the others cost nothing wherever "
        "they are put: that lowers the optimum, and the {2} roughest modes are not unique",
        rank, dimension(), dimension() - rank));
  }
  return result;
}

TapLoss smoothness_loss(Stencil stencil, Axis axis) {
  return [stencil, axis, spectrum = StencilSpectrum()](const at::Tensor& value) mutable {
    const at::Tensor rows = to_rows(value, axis);
    if (!spectrum.values.defined() || spectrum.values.size(0) != rows.size(1))
      spectrum = stencil_spectrum(stencil, rows.size(1));
    const at::Tensor modes = rows.matmul(spectrum.vectors.to(rows.device(), rows.scalar_type()));
    return modes.square().mean(0).dot(spectrum.values.to(rows.device(), rows.scalar_type()));
  };
}

const CanonicalEigen& Smoothness::eigen() const {
  if (!eigen_) eigen_ = canonical_eigen(moment_);
  return *eigen_;
}

std::optional<double> Smoothness::optimum() const {
  return spectrum_.values.dot(eigen().values).item<double>();
}

std::optional<ExactPoint> Smoothness::solve_exactly() const {
  ExactSmoothness exact = minimise_smoothness_exactly(*this);
  return ExactPoint{std::move(exact.rotation), exact.degenerate};
}

namespace {

/// A basis of the span of `vectors` that depends only on the span: the pivoted Cholesky factor of
/// the projector V Vᵀ. The pivots are the coordinates with the largest projection onto the span.
at::Tensor canonical_basis(const at::Tensor& vectors) {
  const std::int64_t size = vectors.size(1);
  at::Tensor residual = vectors.clone();
  at::Tensor basis = at::zeros_like(vectors);
  for (std::int64_t j = 0; j < size; ++j) {
    const at::Tensor weight = residual.square().sum(1);
    // The first of (nearly) equal pivots, so that rounding does not choose.
    const double largest = weight.max().item<double>();
    const std::int64_t pivot =
        weight.ge(largest * (1 - 1e-9)).to(at::kInt).argmax().item<std::int64_t>();
    // Within the span, the direction of the projected coordinate axis.
    at::Tensor inside = residual.select(0, pivot).clone();
    inside.div_(inside.norm());
    basis.select(1, j).copy_(residual.matmul(inside));
    residual = residual - at::outer(residual.matmul(inside), inside);
  }
  return basis;
}

void fix_signs(at::Tensor& vectors) {
  const at::Tensor magnitude = vectors.abs();
  const at::Tensor largest = std::get<0>(magnitude.max(0));
  const at::Tensor row = magnitude.ge(largest * (1 - 1e-9)).to(at::kInt).argmax(0);
  const at::Tensor sign = vectors.gather(0, row.unsqueeze(0)).sign();
  vectors.mul_(sign);
}

}  // namespace

CanonicalEigen canonical_eigen(const at::Tensor& symmetric, double relative) {
  auto [values, vectors] = at::linalg_eigh(symmetric.to(at::kDouble));
  CanonicalEigen result{values.flip(0).contiguous(), vectors.flip(1).contiguous()};
  const std::int64_t d = result.values.size(0);
  const double* value = result.values.data_ptr<double>();
  const double scale = std::max(std::abs(value[0]), std::abs(value[d - 1]));
  for (std::int64_t begin = 0; begin < d;) {
    std::int64_t end = begin + 1;
    while (end < d && value[end - 1] - value[end] <= relative * static_cast<double>(d) * scale)
      ++end;
    if (end - begin > 1) {
      result.degenerate += end - begin;
      at::Tensor cluster = result.vectors.slice(1, begin, end);
      cluster.copy_(canonical_basis(cluster));
    }
    begin = end;
  }
  fix_signs(result.vectors);
  return result;
}

ExactSmoothness minimise_smoothness_exactly(const Smoothness& objective) {
  const StencilSpectrum& spectrum = objective.spectrum();
  const CanonicalEigen& eigen = objective.eigen();
  ExactSmoothness result;
  result.eigenvalues = eigen.values;
  result.degenerate = eigen.degenerate;
  result.rotation = spectrum.vectors.matmul(eigen.vectors.t());
  if (std::get<0>(at::linalg_slogdet(result.rotation)).item<double>() < 0) {
    const std::int64_t last = objective.dimension() - 1;
    result.rotation = result.rotation - 2 * at::outer(spectrum.vectors.select(1, last),
                                                      eigen.vectors.select(1, last));
  }
  result.value = objective.value(result.rotation);
  result.optimum = spectrum.values.dot(eigen.values).item<double>();
  return result;
}

at::Tensor align_gauge(const StencilSpectrum& spectrum, const at::Tensor& rotation,
                       const at::Tensor& reference) {
  const at::Tensor eigenvectors = rotation.t().matmul(spectrum.vectors);  // U, up to the gauge
  at::Tensor turned = spectrum.vectors.clone();
  const std::int64_t d = spectrum.values.size(0);
  const double* value = spectrum.values.data_ptr<double>();
  const double scale = std::max(value[d - 1], 1e-300);
  for (std::int64_t begin = 0; begin < d;) {
    std::int64_t end = begin + 1;
    while (end < d && value[end] - value[end - 1] <= 1e-13 * scale) ++end;
    const at::Tensor block = spectrum.vectors.slice(1, begin, end);
    const at::Tensor overlap =
        block.t().matmul(reference).matmul(eigenvectors.slice(1, begin, end));
    const auto [left, values, right] = at::linalg_svd(overlap, false);
    turned.slice(1, begin, end).copy_(block.matmul(left.matmul(right)));
    begin = end;
  }
  return turned.matmul(eigenvectors.t());
}

}  // namespace descramble
