#include "training/probe_measures.h"

#include <algorithm>
#include <cmath>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/linalg_eigvalsh.h>
#include <ATen/ops/linalg_svdvals.h>

#include "core/at_end.h"
#include "descramble/core/error.h"

namespace descramble {

void JacobianFigures::add(const at::Tensor& blocks, const at::Tensor& weights) {
  const at::Tensor values = blocks.to(at::kCPU, at::kDouble);
  l1 += (values.abs() * weights).sum().item<double>();
  squares += (values.square() * weights).sum().item<double>();
  entries += weights.sum().item<double>() * static_cast<double>(values.size(1) * values.size(2));
}

ProbedTap::ProbedTap(const Moments& moments, const StencilSpectrum* stencil, at::Tensor weight,
                     std::function<JacobianFigures()> jacobian)
    : stencil_(stencil), weight_(std::move(weight)), jacobian_(std::move(jacobian)) {
  if (moments.count() > 0) covariance_ = moments.covariance();
}

namespace {

/// A decomposition of such a matrix would fail with a text of LibTorch's.
void require_finite(const at::Tensor& matrix, const std::string& what, const std::string& tap) {
  if (at::isfinite(matrix).all().item<bool>()) return;
  throw Failure({"cannot probe: non-finite values", "tap '" + tap + "'",
                 "finite numbers in " + what, "NaN or infinity"});
}

/// Eigenvalues alone, descending. Up to a few hundred directions the reduction to tridiagonal form
/// is a chain of small products: threads that sleep between them take three times as long as one.
at::Tensor eigenvalues_of(const at::Tensor& symmetric) {
  constexpr std::int64_t small = 400;
  const int threads = at::get_num_threads();
  if (threads == 1 || symmetric.size(0) > small) return at::linalg_eigvalsh(symmetric).flip(0);
  const AtEnd restored([threads] { at::set_num_threads(threads); });
  at::set_num_threads(1);
  return at::linalg_eigvalsh(symmetric).flip(0);
}

}  // namespace

const at::Tensor& ProbedTap::eigenvalues() {
  if (!eigenvalues_.defined()) eigenvalues_ = eigenvalues_of(covariance_);
  return eigenvalues_;
}

namespace {

/// Sizes and shape of the spectrum: Σμ, (Σμ)²/Σμ², μ₁/Σμ and the ten largest μ. The shares of a
/// constant have no value.
void spectrum_of(ProbedTap& tap, ProbeRecord& record) {
  require_finite(tap.covariance(), "the covariance", record.tap);
  const at::Tensor& values = tap.eigenvalues();
  const double total = values.sum().item<double>();
  const at::Tensor leading = values.slice(0, 0, 10);
  record.numbers = {{"total_variance", total},
                    {"participation_ratio", std::nullopt},
                    {"first_share", std::nullopt}};
  record.lists["eigenvalues"] = {leading.data_ptr<double>(),
                                 leading.data_ptr<double>() + leading.numel()};
  if (total > 0) {
    record.numbers["participation_ratio"] = total * total / values.square().sum().item<double>();
    record.numbers["first_share"] = values[0].item<double>() / total;
  }
}

/// The smoothness before, Σ λᵢ (TᵀCT)ᵢᵢ, and at the best rotation, Σ λᵢμᵢ (λ ascending, μ
/// descending). Eigenvalues are enough.
void smoothness_of(ProbedTap& tap, ProbeRecord& record) {
  require_finite(tap.covariance(), "the covariance", record.tap);
  const StencilSpectrum& stencil = tap.stencil();
  const at::Tensor energy = tap.covariance().matmul(stencil.vectors).mul_(stencil.vectors).sum(0);
  record.numbers = {{"before", stencil.values.dot(energy).item<double>()},
                    {"optimum", stencil.values.dot(tap.eigenvalues()).item<double>()}};
}

/// tr W, and the nuclear norm Σσ, which is the largest tr(P W) over rotations.
void diagonal_sum_of(ProbedTap& tap, ProbeRecord& record) {
  require_finite(tap.weight(), "the weight", record.tap);
  record.numbers = {{"diagonal_sum", tap.weight().diagonal().sum().item<double>()},
                    {"nuclear_norm", at::linalg_svdvals(tap.weight()).sum().item<double>()}};
}

/// J from the tap to the probe's end: the mean over samples of Σ|J|, √(the mean of Σ J²), and what
/// rotations change of them, Σ|J| / (√entries · ‖J‖_F).
void jacobian_l1_of(ProbedTap& tap, ProbeRecord& record) {
  const JacobianFigures figures = tap.jacobian();
  const double frobenius = std::sqrt(figures.squares);
  record.numbers = {{"l1", figures.l1}, {"frobenius", frobenius}, {"sparsity", std::nullopt}};
  if (frobenius > 0)
    record.numbers["sparsity"] = figures.l1 / (std::sqrt(figures.entries) * frobenius);
}

}  // namespace

const std::vector<ProbeMeasure>& probe_measures() {
  static const std::vector<ProbeMeasure> measures = {
      {.name = "spectrum",
       .needs_values = true,
       .measure = spectrum_of,
       .whole = [](ProbedTap& tap) { return tap.eigenvalues(); },
       .title = "Participation ratio of the spectrum while training",
       .y_title = "(Σμ)² / Σμ²",
       .curves = {{"participation_ratio", ""}}},
      {.name = "smoothness",
       .needs_values = true,
       .measure = smoothness_of,
       .title = "Smoothness while training",
       .y_title = "‖D P F‖² / N",
       .log_y = true,
       .curves = {{"before", "as trained (P = I)"}, {"optimum", "at the best rotation"}}},
      {.name = "diagonal_sum",
       .needs_weight = true,
       .measure = diagonal_sum_of,
       .title = "Diagonal sum of the weight while training",
       .y_title = "tr(P W)",
       .curves = {{"diagonal_sum", "as trained (P = I)"},
                  {"nuclear_norm", "at the best rotation"}}},
      {.name = "jacobian_l1",
       .needs_jacobian = true,
       .measure = jacobian_l1_of,
       .title = "L1 of the Jacobian while training",
       .y_title = "mean Σ|J|",
       .log_y = true,
       .curves = {{"l1", ""}}}};
  return measures;
}

}  // namespace descramble
