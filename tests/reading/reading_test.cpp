// Readings: each finds what was put into a matrix, says how sure it is, and refuses what cannot be.

#include <cmath>
#include <numbers>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "descramble/core/random.h"
#include "descramble/objective/smoothness.h"
#include "descramble/reading/kinds.h"
#include "reading/fit.h"
#include "throws.h"

namespace descramble::test {
namespace {

using nlohmann::json;

Reading read(const at::Tensor& matrix, const json& settings, const at::Tensor& other = {}) {
  const Settings resolved = resolve_settings(reading_family(), settings, "/readings/0");
  const MatrixView own{.title = "M", .values = matrix};
  const MatrixView second{.title = "N", .values = other};
  return read_matrix(own, other.defined() ? &second : nullptr, resolved);
}

double answer(const Reading& reading, const std::string& name) {
  for (const Answer& one : reading.answers) {
    if (one.name == name) return one.value;
  }
  ADD_FAILURE() << "no answer " << name;
  return NAN;
}

at::Tensor normal(std::int64_t rows, std::int64_t columns, std::uint64_t index) {
  RandomStream random = random_stream(1, "test/reading", index);
  return random.normal_tensor({rows, columns});
}

/// A circulant band-pass filter, rows shuffled by a rotation that leaves the column profile.
at::Tensor band_pass(std::int64_t n, std::int64_t low, std::int64_t high) {
  at::Tensor matrix = at::zeros({n, n}, at::kDouble);
  const at::Tensor places = at::arange(n, at::kDouble);
  for (std::int64_t k = low; k <= high; ++k) {
    const at::Tensor phase =
        2 * std::numbers::pi * static_cast<double>(k) / static_cast<double>(n) * places;
    matrix += (at::outer(phase.cos(), phase.cos()) + at::outer(phase.sin(), phase.sin())) * 2 /
              static_cast<double>(n);
  }
  return matrix;
}

TEST(FourierReading, FindsThePassBand) {
  for (const double noise : {1e-6, 1e-3, 0.01}) {
    const at::Tensor matrix = band_pass(128, 10, 40) + noise * normal(128, 128, 1);
    const Reading reading = read(matrix, {{"kind", "fourier"}});
    EXPECT_NEAR(answer(reading, "band_low"), 10, 1) << noise;
    EXPECT_NEAR(answer(reading, "band_high"), 40, 1) << noise;
    EXPECT_LT(answer(reading, "notch"), 0.2);
    EXPECT_EQ(reading.figures.back().first, "fourier");
  }
}

TEST(FourierReading, FindsThePowerLawOfARidge) {
  // Row u of the two-dimensional transform peaks at the column frequency A u^p.
  for (const double power : {1.0, 2.0, 3.0}) {
    const std::int64_t rows = 32;
    const std::int64_t columns = 256;
    const double factor = 100 / std::pow(14, power);
    at::Tensor matrix = 1e-3 * normal(rows, columns, 2);
    const at::Tensor i = at::arange(rows, at::kDouble).unsqueeze(1);
    const at::Tensor j = at::arange(columns, at::kDouble);
    for (int u = 1; u <= 14; ++u) {
      const double v = std::round(factor * std::pow(u, power));
      if (v < 3) continue;  // rounding to a bin would bend the law
      matrix += at::cos(2 * std::numbers::pi * (u * i / rows + v * j / columns));
    }
    const Reading reading = read(matrix, {{"kind", "fourier"}});
    EXPECT_NEAR(answer(reading, "ridge_exponent"), power, 0.12) << power;
    EXPECT_GT(answer(reading, "ridge_r2"), 0.97);
    if (power == 3) {
      EXPECT_GT(answer(reading, "cubic_r2"), 0.95);
    }
  }
}

TEST(FourierReading, BandIsTheSameInEveryBasisOfTheRows) {
  RandomStream random = random_stream(4, "test/reading");
  const at::Tensor matrix =
      normal(24, 64, 6).matmul(band_pass(64, 5, 20)) + 0.01 * normal(24, 64, 7);
  const Reading raw = read(matrix, {{"kind", "fourier"}});
  const Reading turned = read(random.haar_tensor(24).matmul(matrix), {{"kind", "fourier"}});
  for (const char* name : {"band_low", "band_high", "notch"})
    EXPECT_NEAR(answer(raw, name), answer(turned, name), 1e-9) << name;
}

TEST(FourierReading, OfSingularVectorsReadsEachOnItsOwn) {
  at::Tensor right = at::zeros({10, 64}, at::kDouble);
  const at::Tensor j = at::arange(64, at::kDouble);
  for (int k = 0; k < 10; ++k)
    right[k] = at::cos(2 * std::numbers::pi * 2 * (k + 1) * j / 64) * std::sqrt(2.0 / 64);
  const at::Tensor values = at::pow(0.7, at::arange(10, at::kDouble));
  const Reading reading = read(at::matmul(at::diag(values), right),
                               {{"kind", "fourier"}, {"of", "right_singular_vectors"}});
  EXPECT_NEAR(answer(reading, "ridge_exponent"), 1, 1e-6);
  EXPECT_NEAR(answer(reading, "ridge_factor"), 2, 1e-6);
}

TEST(Fits, FindTheCurvesThatWereDrawn) {
  const at::Tensor s = at::linspace(0, 1, 100, at::kDouble);
  const at::Tensor noise = normal(100, 1, 3).squeeze(1) * 0.01;
  const Fit sinusoid = fit_sinusoid(at::sin(2 * std::numbers::pi * 3.3 * s + 0.4) + 0.2 + noise);
  EXPECT_GT(sinusoid.r2, 0.999);
  EXPECT_NEAR(sinusoid.answers[0].value, 3.3 * 100 / 99, 0.01);
  EXPECT_LT(sinusoid.answers[0].uncertainty.value(), 0.01);
  const at::Tensor x = 2 * s - 1;
  const Fit chebyshev = fit_chebyshev(4 * x.pow(3) - 3 * x + noise, 4);
  EXPECT_GT(chebyshev.r2, 0.999);
  EXPECT_EQ(chebyshev.answers[0].value, 3);
  EXPECT_GT(chebyshev.answers[1].value, 0.99);
  const Fit decays = fit_biexponential(2 * at::exp(-12 * s) - at::exp(-2 * s) + 0.3);
  EXPECT_GT(decays.r2, 1 - 1e-8);
  EXPECT_NEAR(decays.answers[0].value, 12, 1e-2);
  EXPECT_NEAR(decays.answers[1].value, 2, 1e-2);
  // A constant has no shape, and the answer says so.
  EXPECT_EQ(fit_chebyshev(at::ones(100, at::kDouble), 4).r2, 0);
  EXPECT_FALSE(r2_error(-0.4, 100, 4));
  EXPECT_NE(fit_biexponential(s * at::exp(-5 * s)).note, "");
  // Nothing of the sort is found in noise.
  EXPECT_LT(fit_sinusoid(noise).r2, 0.2);
  EXPECT_LT(fit_chebyshev(noise, 4).r2, 0.3);
}

TEST(SingularVectorReading, FitsEachPart) {
  const at::Tensor s = at::linspace(0, 1, 40, at::kDouble);
  const at::Tensor half = at::exp(-9 * s) - at::exp(-s);
  const at::Tensor matrix = at::outer(at::ones(12, at::kDouble), at::cat({half, 0.5 * half}));
  const Reading reading = read(
      matrix, {{"kind", "singular_vectors"}, {"form", "biexponential"}, {"to", 1}, {"parts", 2}});
  EXPECT_GT(answer(reading, "vector_1_r2"), 1 - 1e-6);
  EXPECT_NEAR(answer(reading, "vector_1_a_part_1"), 9, 0.1);
  EXPECT_NEAR(answer(reading, "vector_1_b_part_2"), 1, 0.1);
  EXPECT_EQ(reading.figures.size(), 1U);
}

TEST(SpectrumReading, GivesTheSingularValues) {
  const Reading reading =
      read(at::diag(at::tensor({3.0, 2.0, 1.0}, at::kDouble)), {{"kind", "spectrum"}});
  EXPECT_NEAR(answer(reading, "singular_value_1"), 3, 1e-12);
  EXPECT_NEAR(answer(reading, "singular_value_3"), 1, 1e-12);
  EXPECT_NEAR(answer(reading, "participation"), 14.0 * 14 / 98, 1e-12);
}

// The descrambler of W x on whitened data is T B Uᵀ: the reading says 0, and near 1 for a stranger.
TEST(AlignmentReading, IsZeroForThePredictionAndNotForAStranger) {
  RandomStream random = random_stream(2, "test/reading");
  const at::Tensor u = random.haar_tensor(12);
  const at::Tensor weight =
      at::matmul(u * at::pow(0.8, at::arange(12, at::kDouble)), random.haar_tensor(12));
  const at::Tensor found =
      minimise_smoothness_exactly(Smoothness(Stencil::fourier_second, weight.matmul(weight.t())))
          .rotation;
  const Reading same = read(found, {{"kind", "alignment"}}, weight);
  EXPECT_LT(answer(same, "distance"), 1e-6);
  EXPECT_GT(answer(same, "mean_cosine"), 1 - 1e-9);
  const Reading other = read(random.haar_tensor(12), {{"kind", "alignment"}}, weight);
  EXPECT_GT(answer(other, "relative_distance"), 0.3);
  EXPECT_LT(
      answer(read(found, {{"kind", "alignment"}, {"against", "rotation"}}, found), "distance"),
      1e-12);
}

TEST(Readings, RefuseWhatCannotBe) {
  EXPECT_THAT(
      [] {
        read(at::zeros({20, 20}, at::kDouble), {{"kind", "fourier"}});
      },
      ThrowsError("zeros", "M"));
  EXPECT_THAT(
      [] {
        read(at::ones({20}, at::kDouble), {{"kind", "spectrum"}});
      },
      ThrowsError("not a matrix", "[20]"));
  EXPECT_THAT(
      [] {
        read(1e200 * at::ones({20, 20}, at::kDouble), {{"kind", "spectrum"}});
      },
      ThrowsError("below 1e100", "1e+200"));
  EXPECT_THAT(
      [] {
        read(at::ones({3, 8}, at::kDouble), {{"kind", "fourier"}});
      },
      ThrowsError("too small", "16 columns", "3 x 8"));
  at::Tensor broken = at::ones({20, 20}, at::kDouble);
  broken[3][4] = NAN;
  for (const ReadingKind& kind : reading_kinds()) {
    EXPECT_THAT(
        [&] {
          read(broken, {{"kind", kind.info.name}}, at::eye(20, at::kDouble));
        },
        ThrowsError("finite numbers", "M"))
        << kind.info.name;
  }
  const at::Tensor fine = normal(20, 20, 5);
  EXPECT_THAT(
      [&] {
        read(fine, {{"kind", "singular_vectors"}, {"from", 3}, {"to", 30}});
      },
      ThrowsError("no such singular vectors", "20", "3 to 30"));
  EXPECT_THAT(
      [&] {
        read(fine, {{"kind", "singular_vectors"}, {"parts", 3}});
      },
      ThrowsError("do not suit the fit", "20"));
  EXPECT_THAT([&] { read(fine, {{"kind", "alignment"}}); }, ThrowsError("compares two matrices"));
  EXPECT_THAT(
      [&] {
        read(fine, {{"kind", "alignment"}}, fine);
      },
      ThrowsError("not a rotation", "M"));
}

}  // namespace
}  // namespace descramble::test
