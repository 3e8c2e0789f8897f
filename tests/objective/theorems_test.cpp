// What Sule, Spencer and Czaja (arXiv 2301.07820) prove of the first layer (k = 1) of a network
// that reads signals in noise, x = s + αy with y ~ N(0, I): their poster's α, as REFERENCE's
// mistake 4 has it; the paper's is its inverse. Its preactivation is W x, W = U Σ Vᵀ, and the
// population covariance of that is W (Cov(s) + α² I) Wᵀ. Up to the gauge B inside blocks of equal λ
// its descrambler is T Uᵀ whenever the noise alone speaks; what is measured is ‖P U − T B‖_F at the
// best B.
//
// W is that of REFERENCE T5: 16 × 32, singular values 4·0.8ⁱ, singular vectors Haar.

#include "objective/support.h"

namespace descramble::test {
namespace {

constexpr std::int64_t outputs = 16;
constexpr std::int64_t inputs = 32;

struct Layer {
  at::Tensor left = haar(outputs, 21);                       // U
  at::Tensor right = haar(inputs, 22).slice(1, 0, outputs);  // V
  at::Tensor weight =
      (left * (4 * at::pow(0.8, at::arange(outputs, at::kDouble)))).matmul(right.t());

  /// ‖P U − T B‖_F for the descrambler P of W x, x of this second moment.
  double error(const at::Tensor& moment) const {
    const at::Tensor c = weight.matmul(moment).matmul(weight.t());
    const Smoothness objective(Stencil::fourier_second, (c + c.t()) / 2);
    const at::Tensor found = minimise_smoothness_exactly(objective).rotation;
    const at::Tensor predicted =
        align_gauge(objective.spectrum(), objective.spectrum().vectors.matmul(left.t()), found);
    return (found - predicted).norm().item<double>();
  }
};

// A constant signal has no covariance: centred, the noise alone is left, and the descrambler is T
// Uᵀ exactly; uncentred, C = W (11ᵀ + α² I) Wᵀ, and the mean takes the place of the smoothest
// component (REFERENCE, mistake 3: "s ≡ K implies C = 0" holds for centred data only).
TEST(T6_EffectOfTheMean, ConstantSignalsDoNotShowInCentredMoments) {
  const Layer layer;
  const at::Tensor mean = at::ones({inputs}, at::kDouble);  // s ≡ 1
  const at::Tensor noise = at::eye(inputs, at::kDouble);    // α = 1
  EXPECT_LT(layer.error(noise), 1e-6);
  EXPECT_GT(layer.error(noise + at::outer(mean, mean)), 0.5);
}

TEST(T6_EffectOfTheMean, UncentredDescramblersMapTheMeanToTheConstantVector) {
  const Layer layer;
  const at::Tensor mean = 100 * at::ones({inputs}, at::kDouble);
  const at::Tensor c = layer.weight.matmul(at::eye(inputs, at::kDouble) + at::outer(mean, mean))
                           .matmul(layer.weight.t());
  const at::Tensor p =
      minimise_smoothness_exactly(Smoothness(Stencil::fourier_second, (c + c.t()) / 2)).rotation;
  const at::Tensor image = p.mv(layer.weight.mv(mean));
  const double share = std::abs(image.mean().item<double>()) *
                       std::sqrt(static_cast<double>(outputs)) / image.norm().item<double>();
  EXPECT_GT(share, 0.999);
}

// Theorem 2, k = 1. s = 0.6 exp(−t/T₁) + 0.4 exp(−t/T₂) on [0, 800] with (T₁, T₂), T₁ ≤ T₂, uniform
// on a grid of [50, 500]² (the signals of REFERENCE's biexponential networks), its covariance
// exact. C/α² = W Wᵀ + α⁻² W Cov(s) Wᵀ, so the error falls as α⁻²: slope −2 ± 0.05, −1.999 in
// REFERENCE T7.
TEST(T7_NoisySignals, ErrorFallsWithTheSquareOfTheNoise) {
  const Layer layer;
  const at::Tensor times = at::linspace(0, 800, inputs, at::kDouble);
  std::vector<at::Tensor> signals;
  constexpr int grid = 50;
  for (int i = 0; i < grid; ++i) {
    for (int j = i; j < grid; ++j) {
      const double first = 50 + 450.0 * i / (grid - 1);
      const double second = 50 + 450.0 * j / (grid - 1);
      signals.push_back(0.6 * (-times / first).exp() + 0.4 * (-times / second).exp());
    }
  }
  const at::Tensor rows = at::stack(signals);
  const at::Tensor mean = rows.mean(0);
  const at::Tensor centred =
      (rows - mean).t().matmul(rows - mean) / static_cast<double>(rows.size(0));
  const at::Tensor raw = rows.t().matmul(rows) / static_cast<double>(rows.size(0));

  std::vector<double> alphas;
  std::vector<double> errors;
  for (int i = 0; i <= 6; ++i) {
    alphas.push_back(10 * std::pow(30.0, i / 6.0));  // 10 … 300
    const at::Tensor noise = alphas.back() * alphas.back() * at::eye(inputs, at::kDouble);
    errors.push_back(layer.error(centred + noise));
    EXPECT_GT(layer.error(raw + noise), 3 * errors.back()) << "the mean is a signal too";
  }
  EXPECT_NEAR(log_log_slope(alphas, errors), -2, 0.05);
}

// How far the neurons of a convolution over white noise are from smooth: C = W Wᵀ of the kernel, m
// = 64, cost(P = I)/optimum; figures of REFERENCE T9, after Sule et al.'s corollary on CNNs (which
// needs a periodic kernel with a monotone |ŵ|: the first alone).
TEST(T9_Convolutions, CostOfTheNeuronsAgainstTheOptimum) {
  constexpr std::int64_t m = 64;
  const auto ratio = [](const std::vector<std::pair<std::int64_t, double>>& kernel, bool periodic) {
    at::Tensor w = at::zeros({m, m}, at::kDouble);
    for (std::int64_t i = 0; i < m; ++i) {
      for (const auto& [offset, value] : kernel) {
        if (periodic || (i + offset >= 0 && i + offset < m)) w[i][(i + offset + m) % m] += value;
      }
    }
    const Smoothness objective(Stencil::fourier_second, w.matmul(w.t()));
    return objective.value(at::eye(m, at::kDouble)) / objective.optimum().value();
  };
  EXPECT_NEAR(ratio({{-1, 0.25}, {0, 0.5}, {1, 0.25}}, true), 1, 1e-9);
  EXPECT_NEAR(ratio({{-1, 1 / 3.0}, {0, 1 / 3.0}, {1, 1 / 3.0}}, true), 2.289, 0.001);
  EXPECT_NEAR(ratio({{0, 1}, {1, -1}}, true), 8.75, 0.01);
  EXPECT_NEAR(ratio({{-1, 0.25}, {0, 0.5}, {1, 0.25}}, false), 1.065, 0.001);
}

}  // namespace
}  // namespace descramble::test
