#pragma once

#include <cmath>
#include <complex>
#include <limits>
#include <numbers>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "descramble/core/error.h"
#include "descramble/core/random.h"
#include "descramble/objective/smoothness.h"
#include "throws.h"

namespace descramble::test {

inline std::vector<Stencil> all_stencils() {
  std::vector<Stencil> stencils;
  for (const std::string& name : stencil_names()) stencils.push_back(parse_stencil(name));
  return stencils;
}

/// D itself, [d, d] ([d − 1, d] with open ends), from its definition: finite differences entry by
/// entry, or the spectral derivative IDFT · diag((i f)^order) · DFT with signed frequencies f. The
/// real part of the latter is all of it but for the first derivative of the alternating vector,
/// which is imaginary and counts as none.
inline at::Tensor explicit_stencil(Stencil stencil, std::int64_t d) {
  if (stencil == Stencil::fourier_first || stencil == Stencil::fourier_second) {
    at::Tensor matrix = at::zeros({d, d}, at::kDouble);
    for (std::int64_t row = 0; row < d; ++row) {
      for (std::int64_t column = 0; column < d; ++column) {
        std::complex<double> sum = 0;
        for (std::int64_t k = 0; k < d; ++k) {
          const double frequency = static_cast<double>(2 * k <= d ? k : k - d);
          const std::complex<double> factor(0, frequency);
          const double phase = 2 * std::numbers::pi *
                               static_cast<double>((k * (row - column)) % d) /
                               static_cast<double>(d);
          sum += (stencil == Stencil::fourier_first ? factor : factor * factor) *
                 std::polar(1.0, phase);
        }
        matrix[row][column] = sum.real() / static_cast<double>(d);
      }
    }
    return matrix;
  }
  const bool open = stencil == Stencil::forward_free;
  at::Tensor matrix = at::zeros({open ? d - 1 : d, d}, at::kDouble);
  for (std::int64_t l = 0; l < matrix.size(0); ++l) {
    if (stencil == Stencil::central_periodic) {
      matrix[l][(l + 1) % d] += 0.5;
      matrix[l][(l + d - 1) % d] -= 0.5;
    } else {
      matrix[l][(l + 1) % d] += 1;
      matrix[l][l] -= 1;
    }
  }
  return matrix;
}

/// Haar on O(d): QR of a Gaussian matrix with the signs of R's diagonal.
inline at::Tensor haar(std::int64_t d, std::uint64_t index) {
  RandomStream random = random_stream(11, "test/haar", index);
  const auto [q, r] = at::linalg_qr(random.normal_tensor({d, d}));
  return q * r.diagonal().sign();
}

inline at::Tensor with_spectrum(const at::Tensor& eigenvalues, std::uint64_t index) {
  const at::Tensor q = haar(eigenvalues.size(0), index);
  const at::Tensor matrix = (q * eigenvalues).matmul(q.t());
  return (matrix + matrix.t()) / 2;
}

/// A covariance with eigenvalues 4·0.8ⁱ.
inline at::Tensor covariance(std::int64_t d, std::uint64_t index = 0) {
  return with_spectrum(4 * at::pow(0.8, at::arange(d, at::kDouble)), index);
}

inline double largest(const at::Tensor& a) {
  return a.abs().max().item<double>();
}
inline double difference(const at::Tensor& a, const at::Tensor& b) {
  return largest(a - b);
}
inline double distance_from_orthogonal(const at::Tensor& p) {
  return (p.t().matmul(p) - at::eye(p.size(0), at::kDouble)).norm().item<double>();
}
inline double determinant_sign(const at::Tensor& p) {
  return std::get<0>(at::linalg_slogdet(p)).item<double>();
}

/// Least-squares slope of log y against log x.
inline double log_log_slope(const std::vector<double>& x, const std::vector<double>& y) {
  double mx = 0, my = 0, xy = 0, xx = 0;
  const auto n = static_cast<double>(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) mx += std::log(x[i]) / n, my += std::log(y[i]) / n;
  for (std::size_t i = 0; i < x.size(); ++i) {
    xy += (std::log(x[i]) - mx) * (std::log(y[i]) - my);
    xx += (std::log(x[i]) - mx) * (std::log(x[i]) - mx);
  }
  return xy / xx;
}

/// ∂f/∂P by central differences, entry by entry.
inline at::Tensor central_differences(const Objective& objective, const at::Tensor& p,
                                      double step) {
  at::Tensor differences = at::zeros_like(p);
  for (std::int64_t i = 0; i < p.size(0); ++i) {
    for (std::int64_t j = 0; j < p.size(1); ++j) {
      at::Tensor up = p.clone();
      at::Tensor down = p.clone();
      up[i][j] += step;
      down[i][j] -= step;
      differences[i][j] = (objective.value(up) - objective.value(down)) / (2 * step);
    }
  }
  return differences;
}

/// Everything that an objective may want of a layer of d quantities.
inline LayerData layer_of_size(std::int64_t d, std::uint64_t index = 4) {
  RandomStream random = random_stream(index, "test/objective");
  const at::Tensor rows = random.normal_tensor({40, d}).matmul(random.normal_tensor({d, d})) + 0.3;
  LayerData layer{.tap = "here"};
  layer.moments.add(rows);
  layer.weight = random.normal_tensor({d, d + 2});
  layer.values = TapValues("here", rows, Axis::features);
  layer.jacobians = {.taps = {"here", "there"},
                     .layers = {{"here", "there", random.normal_tensor({6, d + 1, d})}}};
  return layer;
}

}  // namespace descramble::test
