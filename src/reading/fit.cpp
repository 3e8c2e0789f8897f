#include "reading/fit.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cos.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/sin.h>
#include <ATen/ops/stack.h>

namespace descramble {

namespace {

/// The least squares fit of y by the columns of a design.
struct Linear {
  at::Tensor fitted{};
  at::Tensor coefficients{};
  double residual = 0;  ///< ‖y − fitted‖²
};

Linear least_squares(const at::Tensor& design, const at::Tensor& y) {
  const auto [q, r] = at::linalg_qr(design);
  const at::Tensor projected = q.t().mv(y);
  Linear result;
  result.fitted = q.mv(projected);
  result.residual = (y - result.fitted).pow(2).sum().item<double>();
  // Columns that coincide leave the coefficients open, not the fit.
  const at::Tensor diagonal = r.diagonal().abs();
  if (diagonal.min().item<double>() > 1e-12 * diagonal.max().item<double>())
    result.coefficients = at::linalg_solve(r, projected);
  return result;
}

double residual_of(const at::Tensor& design, const at::Tensor& y) {
  const at::Tensor q = std::get<0>(at::linalg_qr(design));
  return (y.dot(y) - q.t().mv(y).pow(2).sum()).item<double>();
}

double r2_of(const at::Tensor& y, double residual) {
  const double total = (y - y.mean()).pow(2).sum().item<double>();
  // What is left of a constant is rounding.
  return total > 1e-24 * y.pow(2).sum().item<double>() ? 1 - residual / total : 0;
}

/// The least value of f between low and high, by golden section.
double golden(const std::function<double(double)>& f, double low, double high) {
  constexpr double ratio = 0.6180339887498949;
  double a = high - ratio * (high - low);
  double b = low + ratio * (high - low);
  double fa = f(a);
  double fb = f(b);
  for (int i = 0; i < 40; ++i) {
    if (fa < fb) {
      high = b;
      b = a;
      fb = fa;
      a = high - ratio * (high - low);
      fa = f(a);
    } else {
      low = a;
      a = b;
      fa = fb;
      b = low + ratio * (high - low);
      fb = f(b);
    }
  }
  return (low + high) / 2;
}

}  // namespace

std::optional<double> r2_error(double r2, double n, double parameters) {
  const double left = n - parameters - 1;
  if (left <= 0 || r2 <= 0) return std::nullopt;
  return std::sqrt(4 * r2 * (1 - r2) * (1 - r2) * left * left / ((n * n - 1) * (n + 3)));
}

Fit fit_sinusoid(const at::Tensor& y) {
  const std::int64_t n = y.size(0);
  const at::Tensor places = at::arange(n, at::kDouble);
  const at::Tensor ones = at::ones_like(places);
  const auto design = [&](double omega) {
    return at::stack({at::cos(omega * places), at::sin(omega * places), ones}, 1);
  };
  const auto residual = [&](double omega) { return residual_of(design(omega), y); };
  const std::int64_t steps = 4 * n;
  const double step = std::numbers::pi / static_cast<double>(steps);
  double best = INFINITY;
  double omega = step;
  for (std::int64_t i = 1; i < steps; ++i) {
    const double one = residual(step * static_cast<double>(i));
    if (one >= best) continue;
    best = one;
    omega = step * static_cast<double>(i);
  }
  omega = golden(residual, std::max(omega - step, step / 10), omega + step);
  const Linear linear = least_squares(design(omega), y);
  Fit fit{.fitted = linear.fitted, .r2 = r2_of(y, linear.residual), .parameters = 4};
  // The error of ω: Cramér and Rao, var ω = 12 σ²·2 / (A² n³).
  Answer frequency{.name = "frequency",
                   .value = omega * static_cast<double>(n) / (2 * std::numbers::pi),
                   .unit = "cycles"};
  if (linear.coefficients.defined() && n > 4) {
    const double variance = linear.residual / static_cast<double>(n - 4);
    const double power = linear.coefficients.narrow(0, 0, 2).pow(2).sum().item<double>();
    const auto m = static_cast<double>(n);
    frequency.uncertainty =
        std::sqrt(24 * variance / (power * m * m * m)) * m / (2 * std::numbers::pi);
  }
  fit.answers.push_back(frequency);
  return fit;
}

Fit fit_chebyshev(const at::Tensor& y, int degree) {
  const at::Tensor x = at::linspace(-1, 1, y.size(0), at::kDouble);
  std::vector<at::Tensor> columns{at::ones_like(x), x};
  while (static_cast<int>(columns.size()) <= degree) {
    columns.push_back(2 * x * columns[columns.size() - 1] - columns[columns.size() - 2]);
  }
  columns.resize(static_cast<std::size_t>(degree) + 1);
  const Linear linear = least_squares(at::stack(columns, 1), y);
  Fit fit{.fitted = linear.fitted, .r2 = r2_of(y, linear.residual), .parameters = degree + 1};
  if (linear.coefficients.defined()) {
    const at::Tensor power = linear.coefficients.narrow(0, 1, degree).pow(2);
    const double sum = power.sum().item<double>();
    fit.answers.push_back(
        {.name = "degree",
         .value = 1.0 + static_cast<double>(power.argmax().item<std::int64_t>())});
    fit.answers.push_back(
        {.name = "degree_share", .value = sum > 0 ? power.max().item<double>() / sum : 0});
  }
  return fit;
}

Fit fit_biexponential(const at::Tensor& y) {
  const at::Tensor s = at::linspace(0, 1, y.size(0), at::kDouble);
  const at::Tensor ones = at::ones_like(s);
  const auto design = [&](double log_a, double log_b) {
    return at::stack({at::exp(-std::exp(log_a) * s), at::exp(-std::exp(log_b) * s), ones}, 1);
  };
  const auto residual = [&](double log_a, double log_b) {
    return residual_of(design(log_a, log_b), y);
  };
  const double low = std::log(0.2);
  const double high = std::log(static_cast<double>(y.size(0)));
  constexpr int steps = 28;
  const double step = (high - low) / steps;
  double best = INFINITY;
  double a = high;
  double b = low;
  for (int i = 1; i <= steps; ++i) {
    for (int j = 0; j < i; ++j) {
      const double one = residual(low + step * i, low + step * j);
      if (one >= best) continue;
      best = one;
      a = low + step * i;
      b = low + step * j;
    }
  }
  // The valley is narrow and oblique: steps to all eight neighbours, shorter when none is lower.
  double width = step / 2;
  for (int round = 0; round < 400 && width > 1e-7; ++round) {
    double next_a = a;
    double next_b = b;
    for (const double i : {-1.0, 0.0, 1.0}) {
      for (const double j : {-1.0, 0.0, 1.0}) {
        const double other_a = a + i * width;
        const double other_b = b + j * width;
        if (other_b > other_a - 1e-3 || other_b < low || other_a > high) continue;
        const double one = residual(other_a, other_b);
        if (one >= best) continue;
        best = one;
        next_a = other_a;
        next_b = other_b;
      }
    }
    if (next_a == a && next_b == b) width /= 2;
    a = next_a;
    b = next_b;
  }
  const Linear linear = least_squares(design(a, b), y);
  Fit fit{.fitted = linear.fitted, .r2 = r2_of(y, linear.residual), .parameters = 5};
  if (a - b < 0.01) {
    fit.note = "a and b coincide: the curve is (c + d s) exp(-a s) + D";
  } else if (a > high - 0.01 || b < low + 0.01) {
    fit.note = "a or b lies at the end of what was searched";
  }
  fit.answers.push_back({.name = "a", .value = std::exp(a)});
  fit.answers.push_back({.name = "b", .value = std::exp(b)});
  return fit;
}

}  // namespace descramble
