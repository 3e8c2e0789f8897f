// What Sule, Spencer and Czaja (arXiv 2301.07820) prove of the first layer (k = 1) of a network
// that reads signals in noise, x = s + αy with y ~ N(0, I): their poster's α, as REFERENCE's
// mistake 4 has it; the paper's is its inverse. Its preactivation is W x, W = U Σ Vᵀ, and the
// population covariance of that is W (Cov(s) + α² I) Wᵀ. Up to the gauge B inside blocks of equal λ
// its descrambler is T Uᵀ whenever the noise alone speaks; what is measured is ‖P U − T B‖_F at the
// best B.
//
// W is that of REFERENCE T5: 16 × 32, singular values 4·0.8ⁱ, singular vectors Haar.

#include <cstdio>

#include "descramble/stats/moments.h"
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

// Theorem 1: x ~ N(0, I) and a linear layer; the descrambler of N samples is T B Uᵀ up to an error
// that falls as N^−½. REFERENCE T5: slope −0.5 ± 0.05, error·√N ≈ 11.8; sizes reduced to seconds.
double sampled_error(const Layer& layer, std::int64_t samples, std::uint64_t seed) {
  RandomStream random = random_stream(seed, "test/T5", static_cast<std::uint64_t>(samples));
  Moments moments;
  for (std::int64_t left = samples; left > 0; left -= 10000) {
    const at::Tensor x = random.normal_tensor({std::min<std::int64_t>(left, 10000), inputs});
    moments.add(x.matmul(layer.weight.t()));
  }
  const Smoothness objective(Stencil::fourier_second, moments.covariance());
  const at::Tensor found = minimise_smoothness_exactly(objective).rotation;
  const at::Tensor predicted =
      align_gauge(objective.spectrum(), objective.spectrum().vectors.matmul(layer.left.t()), found);
  return (found - predicted).norm().item<double>();
}

void check_sampling(const std::vector<double>& sizes, int seeds) {
  const Layer layer;
  std::vector<double> errors;
  std::vector<double> constants;
  for (const double size : sizes) {
    double sum = 0;
    for (int seed = 1; seed <= seeds; ++seed)
      sum +=
          sampled_error(layer, static_cast<std::int64_t>(size), static_cast<std::uint64_t>(seed));
    errors.push_back(sum / seeds);
    constants.push_back(errors.back() * std::sqrt(size));
  }
  std::printf("T5: slope %.3f, error times sqrt(N) %.2f\n", log_log_slope(sizes, errors),
              constants.back());
  EXPECT_NEAR(log_log_slope(sizes, errors), -0.5, 0.05);
  EXPECT_NEAR(constants.back(), 11.8, 1.5);
}

TEST(T5_Sampling, ErrorFallsWithTheRootOfTheNumberOfSamples) {
  check_sampling({1e4, 3e4, 1e5}, 5);
}

TEST(LongT5_Sampling, ErrorFallsWithTheRootOfTheNumberOfSamples) {
  check_sampling({1e3, 3e3, 1e4, 3e4, 1e5, 3e5}, 10);
}

// Theorem 2, k ≥ 2: two tanh layers on x = s + αy with a constant s. For small α the network is its
// Jacobian at the mean, and the descrambler of the second layer is T B U_Jᵀ; for large α it is not.
// REFERENCE T8: error ≤ 0.05 at α ≤ 0.03, > 0.3 at α ≥ 3, N = 2e5.
double tanh_error(double alpha, std::int64_t samples) {
  constexpr std::int64_t d = 8;  // few directions, well apart: the sampling error stays small
  const at::Tensor first = haar(16, 41) * 0.7;
  const at::Tensor second = (haar(d, 42) * (2 * at::pow(0.5, at::arange(d, at::kDouble))))
                                .matmul(haar(16, 43).slice(0, 0, d));
  const at::Tensor s = at::linspace(-0.5, 0.8, 16, at::kDouble);
  const at::Tensor hidden = first.mv(s).tanh();
  const at::Tensor output = second.mv(hidden).tanh();
  const at::Tensor jacobian =
      (1 - output.pow(2)).unsqueeze(1) * second.matmul((1 - hidden.pow(2)).unsqueeze(1) * first);
  RandomStream random = random_stream(5, "test/T8");
  Moments moments;
  for (std::int64_t left = samples; left > 0; left -= 10000) {
    const at::Tensor x =
        s + alpha * random.normal_tensor({std::min<std::int64_t>(left, 10000), 16});
    moments.add(x.matmul(first.t()).tanh().matmul(second.t()).tanh());
  }
  const Smoothness objective(Stencil::fourier_second, moments.covariance());
  const at::Tensor found = minimise_smoothness_exactly(objective).rotation;
  const at::Tensor u = std::get<0>(at::linalg_svd(jacobian));
  const at::Tensor predicted =
      align_gauge(objective.spectrum(), objective.spectrum().vectors.matmul(u.t()), found);
  return (found - predicted).norm().item<double>();
}

TEST(T8_DeepLayers, FollowTheJacobianAtTheMeanWhereTheNoiseIsSmall) {
  for (const double alpha : {0.003, 0.01, 0.03}) {
    const double error = tanh_error(alpha, 200000);
    std::printf("T8: alpha %g, error %.4f\n", alpha, error);
    EXPECT_LE(error, 0.05) << alpha;
  }
  for (const double alpha : {3.0, 10.0}) {
    const double error = tanh_error(alpha, 20000);
    std::printf("T8: alpha %g, error %.4f\n", alpha, error);
    EXPECT_GT(error, 0.3) << alpha;
  }
}

// The corollary on oscillations: s_k(z) = exp(2πikz/N), z uniform over whole periods, is isotropic,
// and the descrambler of a linear layer on it is T B Uᵀ.
TEST(Oscillations, DescramblerIsThePrediction) {
  const Layer layer;
  RandomStream random = random_stream(6, "test/oscillation");
  Moments moments;
  constexpr std::int64_t half = inputs / 2;
  for (int batch = 0; batch < 40; ++batch) {
    const at::Tensor z = random.uniform_tensor({20000, 1}, -64, 64);
    const at::Tensor phase = 2 * std::numbers::pi * z * at::arange(1, half + 1, at::kDouble) / 64;
    moments.add(at::cat({phase.cos(), phase.sin()}, 1).matmul(layer.weight.t()));
  }
  const Smoothness objective(Stencil::fourier_second, moments.covariance());
  const at::Tensor found = minimise_smoothness_exactly(objective).rotation;
  const at::Tensor predicted =
      align_gauge(objective.spectrum(), objective.spectrum().vectors.matmul(layer.left.t()), found);
  const double error = (found - predicted).norm().item<double>();
  std::printf("oscillations: error %.4f\n", error);
  EXPECT_LE(error, 0.05);
}

// REFERENCE T17, after Saxe, McClelland and Ganguli: a two-layer linear network on whitened inputs,
// Σ_yx = U S Vᵀ, begun at W₁ = R √A(0) Vᵀ, W₂ = U √A(0) Rᵀ. Full gradient descent of ½‖y − W₂W₁x‖²
// with a small rate follows a(t) = s e^{2st/τ} / (e^{2st/τ} − 1 + s/a₀), and the descrambled first
// layer is T B √A Vᵀ.
TEST(T17_LinearDynamics, FollowTheExactSolution) {
  constexpr std::int64_t d = 6;
  const at::Tensor u = haar(d, 51);
  const at::Tensor v = haar(d, 52);
  const at::Tensor r = haar(d, 53);
  const at::Tensor s = at::tensor({5.0, 4.0, 3.2, 2.5, 1.8, 1.2}, at::kDouble);
  const at::Tensor target = (u * s).matmul(v.t());
  const double begin = 1e-3;
  at::Tensor first = std::sqrt(begin) * r.matmul(v.t());
  at::Tensor second = std::sqrt(begin) * u.matmul(r.t());
  const double rate = 1e-4;  // one step is the time 1/τ = rate
  const int steps = 20000;
  for (int step = 1; step <= steps; ++step) {
    const at::Tensor gap = target - second.matmul(first);
    const at::Tensor by_first = second.t().matmul(gap);
    second = second + rate * gap.matmul(first.t());
    first = first + rate * by_first;
    if (step % 2000 != 0) continue;
    const double t = step * rate;
    const at::Tensor grown = (2 * s * t).exp();
    const at::Tensor exact = s * grown / (grown - 1 + s / begin);
    const at::Tensor found = (u.t().matmul(second).matmul(first).matmul(v)).diagonal();
    EXPECT_LE(((found - exact).abs() / exact).max().item<double>(), 0.02) << "t = " << t;
    // The layer's values on whitened inputs have the covariance W₁ W₁ᵀ = R A Rᵀ.
    const at::Tensor c = first.matmul(first.t());
    const Smoothness objective(Stencil::fourier_second, (c + c.t()) / 2);
    const at::Tensor p = minimise_smoothness_exactly(objective).rotation;
    const at::Tensor aligned =
        align_gauge(objective.spectrum(), objective.spectrum().vectors.matmul(r.t()), p);
    const at::Tensor predicted =
        aligned.matmul(r).matmul(found.sqrt().unsqueeze(1) * v.t());  // T B √A Vᵀ
    EXPECT_LE((p.matmul(first) - predicted).norm().item<double>(), 1e-6) << "t = " << t;
  }
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
