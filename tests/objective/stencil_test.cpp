#include "objective/support.h"

namespace descramble::test {
namespace {

using StencilCase = std::tuple<std::string, std::int64_t>;

// The spectra and vectors in closed form against D written out from its definition.
class T1_StencilSpectrum : public ::testing::TestWithParam<StencilCase> {};

TEST_P(T1_StencilSpectrum, IsThatOfTheStencilWrittenOut) {
  const auto& [name, d] = GetParam();
  const at::Tensor stencil = explicit_stencil(parse_stencil(name), d);
  const at::Tensor gram = stencil.t().matmul(stencil);
  const StencilSpectrum spectrum = stencil_spectrum(parse_stencil(name), d);
  const double largest_value =
      spectrum.values.max().item<double>() + 1e-15;  // of two points it may be 0
  ASSERT_EQ(spectrum.values.sizes(), at::IntArrayRef({d}));
  ASSERT_EQ(spectrum.vectors.sizes(), at::IntArrayRef({d, d}));

  EXPECT_LE(distance_from_orthogonal(spectrum.vectors), 1e-14 * static_cast<double>(d));
  const at::Tensor rebuilt = (spectrum.vectors * spectrum.values).matmul(spectrum.vectors.t());
  EXPECT_LE(difference(rebuilt, gram), 1e-11 * largest_value);
  // Zero modes to 1e-9 of the largest, the others to 1e-9 of themselves (REFERENCE T1).
  const at::Tensor found = at::linalg_eigvalsh(gram);
  for (std::int64_t i = 0; i < d; ++i) {
    const double value = spectrum.values[i].item<double>();
    EXPECT_NEAR(found[i].item<double>(), value,
                value == 0 ? 1e-9 * largest_value : 1e-9 * std::max(value, 1e-3 * largest_value));
    if (i > 0) {
      EXPECT_GE(value, spectrum.values[i - 1].item<double>() - 1e-13);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(, T1_StencilSpectrum,
                         ::testing::Combine(::testing::ValuesIn(stencil_names()),
                                            ::testing::Values(2, 3, 4, 5, 8, 9, 80)),
                         [](const auto& one) {
                           return std::get<0>(one.param) + "_" +
                                  std::to_string(std::get<1>(one.param));
                         });

// λ = f⁴ with f = min(k, d − k): Amey et al., PNAS 118 (2021), spectral second derivative;
// REFERENCE T1.
TEST(T1_FourierStencil, SpectrumIsTheFourthPowerOfTheFrequency) {
  for (const std::int64_t d : {8, 9, 80}) {
    const at::Tensor stencil = explicit_stencil(Stencil::fourier_second, d);
    const at::Tensor gram = stencil.t().matmul(stencil);
    std::vector<double> expected;
    for (std::int64_t k = 0; k < d; ++k)
      expected.push_back(std::pow(static_cast<double>(std::min(k, d - k)), 4));
    std::sort(expected.begin(), expected.end());
    const StencilSpectrum spectrum = stencil_spectrum(Stencil::fourier_second, d);
    for (std::int64_t i = 0; i < d; ++i) {
      const double value = expected[static_cast<std::size_t>(i)];
      EXPECT_NEAR(spectrum.values[i].item<double>(), value, 1e-9 * value);
      // The Rayleigh quotient of each vector in the matrix itself.
      const at::Tensor t = spectrum.vectors.select(1, i);
      const double tolerance =
          value == 0 ? 1e-9 * expected.back() : 1e-9 * std::max(value, 1e-4 * expected.back());
      EXPECT_NEAR(t.dot(gram.mv(t)).item<double>(), value, tolerance);
    }
    EXPECT_EQ(spectrum.values[0].item<double>(), 0);
  }
}

// The order inside T: constant, cos, sin, …, the alternating vector last (second order) or among
// the null vectors (first order, central).
TEST(T1_FourierStencil, VectorsAreInTheStatedOrder) {
  const std::int64_t d = 8;
  const at::Tensor l = at::arange(d, at::kDouble);
  const at::Tensor alternating = (1 - 2 * l.remainder(2)) / std::sqrt(8.0);
  const auto wave = [&](bool sine, double k) {
    const at::Tensor angle = 2 * std::numbers::pi * k * l / 8;
    return (sine ? angle.sin() : angle.cos()) / 2;  // √(2/8)
  };
  const auto column = [](Stencil stencil, std::int64_t i) {
    return stencil_spectrum(stencil, 8).vectors.select(1, i);
  };
  for (const Stencil stencil : all_stencils()) {
    EXPECT_LE(difference(column(stencil, 0), at::full({d}, 1 / std::sqrt(8.0), at::kDouble)),
              1e-15);
  }
  for (const Stencil stencil : {Stencil::fourier_second, Stencil::forward_periodic}) {
    EXPECT_LE(difference(column(stencil, 1), wave(false, 1)), 1e-15);
    EXPECT_LE(difference(column(stencil, 2), wave(true, 1)), 1e-15);
    EXPECT_LE(difference(column(stencil, 5), wave(false, 3)), 1e-15);
    EXPECT_LE(difference(column(stencil, 7), alternating), 1e-15);
  }
  for (const Stencil stencil : {Stencil::fourier_first, Stencil::central_periodic}) {
    EXPECT_LE(difference(column(stencil, 1), alternating), 1e-15);
    EXPECT_LE(difference(column(stencil, 2), wave(false, 1)), 1e-15);
    EXPECT_EQ(stencil_spectrum(stencil, 8).values[1].item<double>(), 0);
  }
}

// sin²(2πk/N): the highest frequency counts as smooth (Sule et al., finitediff.m; REFERENCE,
// mistake 5).
TEST(CentralStencil, TakesTheHighestFrequencyForSmooth) {
  const at::Tensor values = stencil_spectrum(Stencil::central_periodic, 12).values;
  EXPECT_EQ(values[0].item<double>(), 0);
  EXPECT_EQ(values[1].item<double>(), 0);
  EXPECT_NEAR(values.max().item<double>(), 1, 1e-15);  // at k = d/4
}

TEST(Stencil, OfOnePointIsNothing) {
  for (const Stencil stencil : all_stencils()) {
    const StencilSpectrum spectrum = stencil_spectrum(stencil, 1);
    EXPECT_EQ(spectrum.values[0].item<double>(), 0);
    EXPECT_EQ(spectrum.vectors[0][0].item<double>(), 1);
  }
}

TEST(Stencil, OfManyPointsIsOrthogonal) {
  for (const Stencil stencil : all_stencils()) {
    EXPECT_LE(distance_from_orthogonal(stencil_spectrum(stencil, 700).vectors), 1e-11)
        << stencil_name(stencil);
  }
}

TEST(Stencil, NamesGoThereAndBack) {
  for (const Stencil stencil : all_stencils())
    EXPECT_EQ(parse_stencil(stencil_name(stencil)), stencil);
  EXPECT_EQ(stencil_names().size(), 5U);
}

TEST(Stencil, RefusesBadInput) {
  EXPECT_THAT([] { parse_stencil("fourier"); },
              ThrowsError("unknown stencil", "'fourier_second'", "found 'fourier'"));
  EXPECT_THAT([] { stencil_spectrum(Stencil::fourier_second, 0); },
              ThrowsError("d >= 1", "found 0"));
}

}  // namespace
}  // namespace descramble::test
