// Decays of two exponentials: the regularised fit against brute force.

#include "descramble/data/biexponential.h"

#include <cmath>
#include <cstdio>

#include <ATen/TensorOperators.h>

#include "data/support.h"
#include "descramble/core/random.h"

namespace descramble::test {
namespace {

constexpr double lambda = 1.6e-4;

double value_at(const BiexponentialDecay& decay, const std::vector<double>& data, double p,
                double q) {
  const std::vector<double> model = decay.at({p, q});
  double value = lambda * lambda * (p * p + q * q);
  for (std::size_t i = 0; i < data.size(); ++i)
    value += (model[i] - data[i]) * (model[i] - data[i]);
  return value;
}

TEST(Biexponential, DecaysAsTheFormulaSays) {
  const BiexponentialDecay decay(64, 800);
  EXPECT_NEAR(decay.times()[1], 800.0 / 63, 1e-12);
  const std::vector<double> signal = decay.at({60, 300});
  for (std::size_t i = 0; i < 64; ++i) {
    const double t = decay.times()[i];
    EXPECT_NEAR(signal[i], 0.6 * std::exp(-t / 60) + 0.4 * std::exp(-t / 300), 1e-13);
  }
}

// No point near the fit is lower, and no point of a grid in the same basin; where the grid finds
// another basin that is lower, the fit is still a minimum (two decay times may swap their roles).
TEST(Biexponential, FitIsAMinimumThatBruteForceConfirms) {
  const BiexponentialDecay decay(64, 800);
  int best_of_all = 0;
  const int trials = 60;
  for (int trial = 0; trial < trials; ++trial) {
    RandomStream random = random_stream(9, "biexponential", static_cast<std::uint64_t>(trial));
    const double first = random.uniform(50, 500);
    const double second = random.uniform(first, 500);
    const double deviation = trial % 3 == 0 ? 1 : trial % 3 == 1 ? 1 / 30.0 : 1 / 100.0;
    std::vector<double> data = decay.at({first, second});
    for (double& one : data) one += deviation * random.normal();
    const BiexponentialDecay::Fit fit = decay.fit(data, lambda, 50, 500, {275, 275});
    ASSERT_TRUE(fit.converged) << first << ' ' << second;
    const auto [p, q] = fit.decay_times;
    ASSERT_GE(std::min(p, q), 50);
    ASSERT_LE(std::max(p, q), 500);
    ASSERT_NEAR(fit.value, value_at(decay, data, p, q), 1e-9 * fit.value + 1e-12);
    for (const double angle : {0.0, 0.7, 1.6, 2.4, 3.1, 3.9, 4.7, 5.5}) {
      const double near_p = std::clamp(p + 0.5 * std::cos(angle), 50.0, 500.0);
      const double near_q = std::clamp(q + 0.5 * std::sin(angle), 50.0, 500.0);
      ASSERT_GE(value_at(decay, data, near_p, near_q), fit.value * (1 - 1e-10)) << p << ' ' << q;
    }
    double least = INFINITY;
    for (double a = 50; a <= 500; a += 4.5) {
      for (double b = 50; b <= 500; b += 4.5) least = std::min(least, value_at(decay, data, a, b));
    }
    best_of_all += fit.value <= least ? 1 : 0;
  }
  std::printf("the fit is the best of the whole square in %d of %d cases\n", best_of_all, trials);
  EXPECT_GE(best_of_all, trials / 2);
}

TEST(Biexponential, SecondHalfIsTheFitOrTheSame) {
  const auto inputs = [](const char* second) {
    return open({{"kind", "biexponential"}, {"count", 40}, {"second", second}})
        .data->slice(0, 40)
        .inputs.at(0);
  };
  const at::Tensor same = inputs("same");
  EXPECT_TRUE(bit_equal(same.narrow(1, 0, 64), same.narrow(1, 64, 64)));
  const at::Tensor fitted = inputs("regularised");
  EXPECT_TRUE(bit_equal(same.narrow(1, 0, 64), fitted.narrow(1, 0, 64)));
  const at::Tensor residual = fitted.narrow(1, 64, 64) - same.narrow(1, 64, 64);
  // SNR 900: the noise has the deviation 1/30, and the fit lies within it.
  EXPECT_NEAR(residual.pow(2).mean().sqrt().item<double>(), 1.0 / 30, 0.006);
}

TEST(Biexponential, ManyFitsConverge) {
  for (const double snr : {1.0, 900.0, 10000.0}) {
    EXPECT_NO_THROW(
        open({{"kind", "biexponential"}, {"count", 3000}, {"snr", snr}}).data->slice(0, 3000))
        << snr;
  }
}

TEST(Biexponential, RefusesWhatCannotBe) {
  EXPECT_THAT(
      [] {
        open({{"kind", "biexponential"}, {"snr", 0}});
      },
      ThrowsError("/data/snr", "> 0", "0"));
  EXPECT_THAT(
      [] {
        open({{"kind", "biexponential"}, {"low", 600}});
      },
      ThrowsError("do not increase", "/data/low", "500", "600"));
}

}  // namespace
}  // namespace descramble::test
