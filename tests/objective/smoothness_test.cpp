#include <nlohmann/json.hpp>

#include "descramble/objective/choice.h"
#include "descramble/objective/kinds.h"
#include "objective/support.h"

namespace descramble::test {
namespace {

using SmoothnessCase = std::tuple<std::string, std::int64_t>;

std::string case_name(const ::testing::TestParamInfo<SmoothnessCase>& one) {
  return std::get<0>(one.param) + "_" + std::to_string(std::get<1>(one.param));
}

// Von Neumann's trace inequality: min over O(d) of tr(A P C Pᵀ) = Σ λᵢ μᵢ, λ ascending, μ
// descending.
class T2_ExactSmoothness : public ::testing::TestWithParam<SmoothnessCase> {
 protected:
  Stencil stencil() const { return parse_stencil(std::get<0>(GetParam())); }
  std::int64_t size() const { return std::get<1>(GetParam()); }
};

TEST_P(T2_ExactSmoothness, IsTheSumOfOppositelyOrderedEigenvalues) {
  const std::int64_t m = size();
  const at::Tensor mu =
      4 * at::pow(0.8, at::arange(m, at::kDouble));  // known, for they were put in
  const Smoothness objective(stencil(), with_spectrum(mu, 1));
  const ExactSmoothness exact = minimise_smoothness_exactly(objective);

  const double expected = objective.spectrum().values.dot(mu).item<double>();
  EXPECT_NEAR(exact.optimum, expected, 1e-10 * expected);
  EXPECT_NEAR(exact.value, expected, 1e-10 * expected);
  EXPECT_EQ(exact.value, objective.value(exact.rotation));
  EXPECT_NEAR(objective.optimum().value(), expected, 1e-10 * expected);
  EXPECT_LT(distance_from_orthogonal(exact.rotation), 1e-12 * static_cast<double>(m));
  EXPECT_EQ(determinant_sign(exact.rotation), 1);
  EXPECT_LE(difference(exact.eigenvalues, mu), 1e-13 * static_cast<double>(m));
  EXPECT_EQ(exact.degenerate, 0);
}

TEST_P(T2_ExactSmoothness, NothingElseLiesBelow) {
  const std::int64_t m = size();
  const Smoothness objective(stencil(), covariance(m, 2));
  const double least = objective.optimum().value();
  for (std::uint64_t i = 0; i < 10; ++i)
    EXPECT_GE(objective.value(haar(m, 100 + i)), least * (1 - 1e-12));
  // Nor near the optimum itself.
  const at::Tensor best = minimise_smoothness_exactly(objective).rotation;
  for (std::uint64_t i = 0; i < 10; ++i) {
    RandomStream random = random_stream(5, "test/nudge", i);
    const at::Tensor g = random.normal_tensor({m, m}) * 1e-3;
    EXPECT_GE(objective.value(at::matrix_exp(g - g.t()).matmul(best)), least * (1 - 1e-12));
  }
}

TEST_P(T2_ExactSmoothness, IsTheRoughnessOfTheRotatedSamples) {
  const std::int64_t m = size();
  RandomStream random = random_stream(3, "test/samples");
  const at::Tensor rows = random.normal_tensor({3 * m, m}).matmul(random.normal_tensor({m, m})) + 1;
  const at::Tensor d = explicit_stencil(stencil(), m);
  for (const bool centred : {true, false}) {
    const at::Tensor f = (centred ? rows - rows.mean(0) : rows).t();  // d × N as in the papers
    const Smoothness objective(stencil(), f.matmul(f.t()) / static_cast<double>(rows.size(0)));
    for (const at::Tensor& p :
         {haar(m, 4), at::eye(m, at::kDouble), minimise_smoothness_exactly(objective).rotation}) {
      const double expected =
          d.matmul(p).matmul(f).square().sum().item<double>() / static_cast<double>(rows.size(0));
      const double largest_share =
          objective.spectrum().values.max().item<double>() * largest(objective.moment());
      EXPECT_NEAR(objective.value(p), expected, 1e-10 * expected + 1e-13 * largest_share);
    }
  }
}

TEST_P(T2_ExactSmoothness, IsACriticalPoint) {
  const Smoothness objective(stencil(), covariance(size(), 6));
  const at::Tensor p = minimise_smoothness_exactly(objective).rotation;
  const at::Tensor gradient = objective.gradient(p);
  const at::Tensor tangent = gradient.matmul(p.t()) - p.matmul(gradient.t());
  EXPECT_LE(tangent.norm().item<double>(),
            1e-11 * gradient.norm().item<double>() * static_cast<double>(size()));
}

INSTANTIATE_TEST_SUITE_P(, T2_ExactSmoothness,
                         ::testing::Combine(::testing::ValuesIn(stencil_names()),
                                            ::testing::Values(9, 12, 64, 80)),
                         case_name);

class SmoothnessGauge : public ::testing::TestWithParam<SmoothnessCase> {
 protected:
  Stencil stencil() const { return parse_stencil(std::get<0>(GetParam())); }
  std::int64_t size() const { return std::get<1>(GetParam()); }

  /// The eigenvalues with a cluster of four, one of two and the zeros of a low rank.
  at::Tensor clustered() const {
    at::Tensor mu = 4 * at::pow(0.8, at::arange(size(), at::kDouble));
    mu.slice(0, 1, 5).fill_(3);
    mu.slice(0, 6, 8).fill_(0.5);
    mu.slice(0, 8, size()).zero_();
    return mu;
  }
  at::Tensor solve(const at::Tensor& c) const {
    return minimise_smoothness_exactly(Smoothness(stencil(), c)).rotation;
  }
};

// The eigensolver may return any basis of a cluster: rounding of the matrix turns it altogether.
TEST_P(SmoothnessGauge, DoesNotDependOnRounding) {
  const std::int64_t m = size();
  const at::Tensor c = with_spectrum(clustered(), 1);
  const ExactSmoothness exact = minimise_smoothness_exactly(Smoothness(stencil(), c));
  EXPECT_EQ(exact.degenerate, 4 + 2 + (m - 8));
  for (std::uint64_t i = 0; i < 5; ++i) {
    RandomStream random = random_stream(9, "test/rounding", i);
    const at::Tensor noise = random.normal_tensor({m, m}) * 1e-16;
    EXPECT_LE(difference(solve(c + noise + noise.t()), exact.rotation), 1e-9);
    // The same matrix, summed in another order.
    const std::vector<std::int64_t> order = random.permutation(m);
    const at::Tensor permutation = at::tensor(order);
    const at::Tensor q = haar(m, 1).index_select(1, permutation);
    const at::Tensor again = (q * clustered().index_select(0, permutation)).matmul(q.t());
    EXPECT_LE(difference(solve((again + again.t()) / 2), exact.rotation), 1e-9);
  }
}

TEST_P(SmoothnessGauge, HoldsForFewSamples) {
  const std::int64_t m = size();
  RandomStream random = random_stream(3, "test/few");
  const at::Tensor rows = random.normal_tensor({5, m});
  const at::Tensor backwards = rows.flip(0);
  const Smoothness objective(stencil(), rows.t().matmul(rows) / 5);
  const ExactSmoothness exact = minimise_smoothness_exactly(objective);
  EXPECT_EQ(exact.degenerate, m - 5);
  EXPECT_LE(difference(exact.rotation, solve(backwards.t().matmul(backwards) / 5)), 1e-9);
  EXPECT_LT(distance_from_orthogonal(exact.rotation), 1e-12 * static_cast<double>(m));
  EXPECT_EQ(determinant_sign(exact.rotation), 1);
  EXPECT_NEAR(exact.value, exact.optimum,
              1e-10 * exact.optimum + 1e-12 * objective.spectrum().values.max().item<double>());
}

// Equal eigenvalues in all directions: the eigenvectors are the coordinate axes, and P = T (with
// the last column's sign for det +1).
TEST_P(SmoothnessGauge, OfTheIdentityIsTheStencilsBasis) {
  const std::int64_t m = size();
  for (const double factor : {1.0, 1e-8, 1e8, 0.0}) {
    const ExactSmoothness exact =
        minimise_smoothness_exactly(Smoothness(stencil(), factor * at::eye(m, at::kDouble)));
    at::Tensor expected = stencil_spectrum(stencil(), m).vectors.clone();
    if (determinant_sign(expected) < 0) expected.select(1, m - 1).neg_();
    EXPECT_LE(difference(exact.rotation, expected), 1e-12);
    EXPECT_EQ(exact.degenerate, m);
  }
}

TEST_P(SmoothnessGauge, DoesNotDependOnScale) {
  const at::Tensor c = with_spectrum(clustered(), 2);
  for (const double factor : {1e-12, 1e12})
    EXPECT_LE(difference(solve(c), solve(factor * c)), 1e-9);
}

// A sign flip of the data, or a rotation inside a cluster, leaves C as it is; what is checked here
// is that one optimum is turned into another by align_gauge, and that the value stays.
TEST_P(SmoothnessGauge, AlignsAnyTwoOptima) {
  const std::int64_t m = size();
  const Smoothness objective(stencil(), covariance(m, 3));
  const at::Tensor rotation = minimise_smoothness_exactly(objective).rotation;
  const StencilSpectrum& spectrum = objective.spectrum();
  // Another optimum: T B Uᵀ with B a random rotation inside each block of equal λ.
  at::Tensor turned = spectrum.vectors.clone();
  for (std::int64_t begin = 0; begin < m;) {
    std::int64_t end = begin + 1;
    while (end < m && std::abs(spectrum.values[end].item<double>() -
                               spectrum.values[begin].item<double>()) < 1e-10)
      ++end;
    turned.slice(1, begin, end)
        .copy_(spectrum.vectors.slice(1, begin, end)
                   .matmul(haar(end - begin, static_cast<std::uint64_t>(begin))));
    begin = end;
  }
  const at::Tensor other = turned.matmul(rotation.t().matmul(spectrum.vectors).t());
  EXPECT_NEAR(objective.value(other), objective.optimum().value(),
              1e-10 * objective.optimum().value());
  EXPECT_GT(difference(other, rotation), 0.05);
  EXPECT_LE(difference(align_gauge(spectrum, rotation, other), other), 1e-11);
  EXPECT_LE(difference(align_gauge(spectrum, other, rotation), rotation), 1e-11);
  EXPECT_LE(difference(align_gauge(spectrum, rotation, rotation), rotation), 1e-11);
}

INSTANTIATE_TEST_SUITE_P(, SmoothnessGauge,
                         ::testing::Combine(::testing::ValuesIn(stencil_names()),
                                            ::testing::Values(12, 15, 64)),
                         case_name);

TEST(CanonicalEigen, LargestEntriesArePositiveAndValuesDescend) {
  const at::Tensor c = covariance(20, 8);
  const CanonicalEigen eigen = canonical_eigen(c);
  EXPECT_LE(difference((eigen.vectors * eigen.values).matmul(eigen.vectors.t()), c), 1e-13);
  EXPECT_LE(distance_from_orthogonal(eigen.vectors), 1e-13);
  for (std::int64_t i = 0; i < 20; ++i) {
    const at::Tensor column = eigen.vectors.select(1, i);
    EXPECT_EQ(column.max().item<double>(), largest(column));
    if (i > 0) {
      EXPECT_GE(eigen.values[i - 1].item<double>(), eigen.values[i].item<double>());
    }
  }
}

TEST(SmoothnessOfOneNeuron, IsNothing) {
  const ExactSmoothness exact = minimise_smoothness_exactly(
      Smoothness(Stencil::fourier_second, at::ones({1, 1}, at::kDouble)));
  EXPECT_EQ(exact.value, 0);
  EXPECT_EQ(exact.rotation[0][0].item<double>(), 1);
}

TEST(SmoothnessRefuses, WhatIsNoMoment) {
  const auto make = [](const at::Tensor& c) {
    return [c] { Smoothness(Stencil::fourier_second, c); };
  };
  EXPECT_THAT(make(at::zeros({3, 4})), ThrowsError("bad moment", "a square matrix"));
  EXPECT_THAT(make(at::zeros({3})), ThrowsError("bad moment", "a square matrix"));
  EXPECT_THAT(make(at::zeros({0, 0})), ThrowsError("bad moment", "a square matrix"));
  at::Tensor c = covariance(4);
  c[0][1] += 1;
  EXPECT_THAT(make(c), ThrowsError("bad moment", "a finite symmetric matrix"));
  EXPECT_THAT(make(at::full({3, 3}, std::nan(""))),
              ThrowsError("bad moment", "a finite symmetric matrix"));
  EXPECT_THAT(make(at::full({3, 3}, INFINITY)),
              ThrowsError("bad moment", "a finite symmetric matrix"));
  const Smoothness objective(Stencil::fourier_second, covariance(4));
  EXPECT_THAT([&] { (void)objective.value(at::eye(3)); },
              ThrowsError("rotation of the wrong size", "4 x 4", "3 x 3"));
  EXPECT_THAT([&] { (void)objective.gradient(at::zeros({4})); },
              ThrowsError("rotation of the wrong size", "1 dimensions"));
}

/// ‖D P S‖²_F / N from the columns of S themselves.
double rough(const at::Tensor& rotation, const at::Tensor& columns, double samples) {
  const at::Tensor d = explicit_stencil(Stencil::fourier_second, rotation.size(0));
  return d.matmul(rotation).matmul(columns).pow(2).sum().item<double>() / samples;
}

double spectral(const at::Tensor& matrix) {
  return at::linalg_svdvals(matrix)[0].item<double>();
}

// Amey et al. (2021), interpretation.m: P₂ descrambles [μ W₂ᵀ, tanh(W₁X)], μ = ‖tanh(W₁X)‖₂/‖W₂‖₂,
// and P₁ descrambles W₁X without the bias; descramble.m scales both Gram matrices by d/‖·‖₂.
TEST(SmoothnessOptions, AreThePapersObjectives) {
  RandomStream random = random_stream(8, "test/pair");
  constexpr std::int64_t d = 9;
  constexpr std::int64_t samples = 40;
  const at::Tensor rows = random.normal_tensor({samples, d}) + 0.5;
  LayerData layer{.tap = "here"};
  layer.moments.add(rows);
  layer.weight = random.normal_tensor({d, 14});
  layer.bias = random.normal_tensor({d});
  const at::Tensor p = haar(d, 3);
  const at::Tensor columns = rows.t();
  const auto value = [&](const SmoothnessOptions& options) {
    return smoothness(options).make(layer)->value(p);
  };
  const double mu = spectral(columns) / spectral(layer.weight);
  const double pair = rough(p, at::cat({mu * layer.weight, columns}, 1), samples);
  EXPECT_NEAR(value({.center = false, .pair = true}), pair, 1e-9 * pair);
  const double unbiased = rough(p, columns - layer.bias.unsqueeze(1), samples);
  EXPECT_NEAR(value({.center = false, .without_bias = true}), unbiased, 1e-9 * unbiased);
  EXPECT_NEAR(value({.without_bias = true}), value({}), 1e-12 * value({})) << "centred: no bias";
  const at::Tensor stencil = explicit_stencil(Stencil::fourier_second, d);
  const at::Tensor gram = stencil.t().matmul(stencil);
  const at::Tensor moment = columns.matmul(columns.t());
  const double scaled =
      (p.t().matmul(gram * (d / spectral(gram))).matmul(p) * (moment * (d / spectral(moment))))
          .sum()
          .item<double>();
  EXPECT_NEAR(value({.center = false, .scaled = true}), scaled, 1e-9 * scaled);
  EXPECT_EQ(smoothness({.pair = true}).needs, LayerNeeds::moments_and_weight);
  // The config says the same.
  EXPECT_EQ(
      make_objective({{"kind", "smoothness"}, {"center", false}, {"pair", true}}, layer)->value(p),
      value({.center = false, .pair = true}));
  layer.weight.zero_();
  EXPECT_THAT([&] { value({.pair = true}); }, ThrowsError("weight of zeros", "tap 'here'"));
  EXPECT_THAT(
      [&] {
        make_objective({{"kind", "smoothness"}, {"route", "autograd"}, {"pair", true}},
                       layer_of_size(5));
      },
      ThrowsError("/objective/route", "closed_form"));
}

}  // namespace
}  // namespace descramble::test
