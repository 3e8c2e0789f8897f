// Charts and learnable pairs: on the manifold whatever happens to the parameters.

#include "descramble/basis/chart.h"

#include <cmath>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

#include "descramble/basis/orthogonal.h"
#include "descramble/basis/rotation_pair.h"
#include "descramble/core/error.h"
#include "descramble/core/random.h"

namespace descramble::test {
namespace {

at::Tensor drawn(std::int64_t d, std::uint64_t index, bool proper = false) {
  RandomStream random = random_stream(12, "test/chart", index);
  return haar_rotation(d, random, proper);
}

at::Tensor parameters_of_size(std::int64_t d, double scale, std::uint64_t index = 0) {
  return random_stream(13, "test/chart", index).normal_tensor({d * (d - 1) / 2}) * scale;
}

class EveryChart : public ::testing::TestWithParam<std::tuple<std::string, std::int64_t>> {
 protected:
  Chart chart() const { return parse_chart(std::get<0>(GetParam())); }
  std::int64_t d() const { return std::get<1>(GetParam()); }
};

TEST_P(EveryChart, IsOrthogonalEverywhereAndTheBaseAtZero) {
  const at::Tensor base = drawn(d(), 1);
  for (const double scale : {0.0, 1e-3, 1.0, 100.0}) {
    const at::Tensor p =
        rotation_of(chart(), skew_matrix(parameters_of_size(d(), scale), d()), base);
    EXPECT_LT(distance_from_orthogonal(p), 1e-11 * static_cast<double>(d())) << scale;
    if (scale == 0) {
      EXPECT_TRUE(at::allclose(p, base, 0, 1e-15));
    }
  }
}

TEST_P(EveryChart, StaysOnTheManifoldWhileAnOptimiserRuns) {
  const at::Tensor target = drawn(d(), 3, true);
  const auto run = [&](RotationPair pair, torch::optim::Optimizer& optimizer) {
    double first = 0;
    double last = 0;
    for (int step = 0; step < 60; ++step) {
      optimizer.zero_grad();
      const at::Tensor loss = (pair.matrix() - target).square().sum();
      loss.backward();
      if (step == 0) first = loss.item<double>();
      last = loss.item<double>();
      optimizer.step();
      EXPECT_LT(pair.orthogonality(), 1e-12 * static_cast<double>(d()));
    }
    if (d() > 1) {
      EXPECT_LT(last, 0.9 * first);
    }
  };
  RotationPair adam_pair = RotationPair::learnable(d(), chart());
  torch::optim::Adam adam(adam_pair.parameters(), torch::optim::AdamOptions(0.03));
  run(adam_pair, adam);
  RotationPair sgd_pair = RotationPair::learnable(d(), chart());
  torch::optim::SGD sgd(sgd_pair.parameters(), torch::optim::SGDOptions(0.05).momentum(0.5));
  run(sgd_pair, sgd);
}

INSTANTIATE_TEST_SUITE_P(, EveryChart,
                         ::testing::Combine(::testing::ValuesIn(chart_names()),
                                            ::testing::Values(1, 2, 3, 8, 21)),
                         [](const auto& one) {
                           return std::get<0>(one.param) + "_" +
                                  std::to_string(std::get<1>(one.param));
                         });

// A half turn in a plane: two eigenvalues -1.
TEST(Charts, RangesAreWhatTheySay) {
  const at::Tensor half_turn = at::diag(at::tensor({-1.0, -1.0, 1.0}, at::kDouble));
  const at::Tensor skew = skew_matrix(at::tensor({M_PI, 0.0, 0.0}, at::kDouble), 3);
  EXPECT_TRUE(at::allclose(rotation_of(Chart::exponential, skew, at::eye(3, at::kDouble)),
                           half_turn, 0, 1e-12));
  // P with cayley(S) has det(I + P) = det(2 (I - S/2)^-1) > 0, which -1 as an eigenvalue excludes;
  // the half turn is approached as 1/|S| and not attained.
  for (const double large : {1e1, 1e3, 1e5}) {
    const at::Tensor near = cayley(skew_matrix(at::tensor({large, 0.0, 0.0}, at::kDouble), 3));
    const double distance = (near - half_turn).norm().item<double>();
    EXPECT_NEAR(distance * large, 4 * std::sqrt(2.0), 0.2 * 4 * std::sqrt(2.0)) << large;
  }
  // Two steps of the moving chart get there.
  const at::Tensor quarter = skew_matrix(at::tensor({2.0, 0.0, 0.0}, at::kDouble), 3);
  EXPECT_TRUE(at::allclose(cayley(quarter).matmul(cayley(quarter)), half_turn, 0, 1e-14));
  for (const std::string& name : chart_names())
    EXPECT_FALSE(chart_range(parse_chart(name)).empty());
  EXPECT_THROW(parse_chart("nonsense"), Error);
  EXPECT_THROW(skew_matrix(at::zeros({4}, at::kDouble), 3), Error);
}

TEST(LearnablePair, SharesItsParametersAndTurnsValues) {
  RotationPair pair = RotationPair::learnable(drawn(4, 9));
  const RotationPair copy = pair;
  ASSERT_EQ(pair.parameters().size(), 1u);
  EXPECT_TRUE(pair.parameters()[0].is_leaf() && pair.parameters()[0].requires_grad());
  EXPECT_TRUE(pair.parameters()[0].is_same(copy.parameters()[0]));
  EXPECT_TRUE(RotationPair::identity(4).parameters().empty());

  const at::Tensor value = random_stream(1, "test/value").normal_tensor({6, 4});
  const at::Tensor loss = pair.rotate(value, Axis::features).pow(4).sum();
  loss.backward();
  EXPECT_GT(pair.parameters()[0].grad().norm().item<double>(), 0);
  // The insertion is the identity, so it has no gradient: the function does not depend on P.
  pair.parameters()[0].mutable_grad().zero_();
  pair.round_trip(value, Axis::features).pow(4).sum().backward();
  EXPECT_LT(pair.parameters()[0].grad().abs().max().item<double>(), 1e-10);
}

// The moving chart's gradient is the Lie gradient, half of G P' - P G' below the diagonal, twice.
TEST(LearnablePair, GradientIsThatOfTheLieAlgebra) {
  const at::Tensor start = drawn(5, 10);
  const at::Tensor weight = random_stream(1, "test/weight").normal_tensor({5, 5});
  for (const std::string& name : chart_names()) {
    const RotationPair pair = RotationPair::learnable(start, parse_chart(name));
    pair.matrix().mul(weight).sum().backward();
    const at::Tensor product = weight.matmul(start.t());
    const at::Tensor expected =
        (product - product.t()).masked_select(at::ones({5, 5}, at::kDouble).tril(-1).to(at::kBool));
    EXPECT_TRUE(at::allclose(pair.parameters()[0].grad(), expected, 1e-10, 1e-12)) << name;
  }
}

TEST(CanonicalPolar, MaximisesTheTraceWhateverTheRank) {
  RandomStream random = random_stream(14, "test/polar");
  for (const std::int64_t d : {1, 2, 5, 9}) {
    for (std::int64_t rank = 0; rank <= d; ++rank) {
      const at::Tensor m = random.normal_tensor({d, rank}).matmul(random.normal_tensor({rank, d}));
      for (const bool proper : {false, true}) {
        const Polar polar = canonical_polar(m, proper);
        EXPECT_EQ(polar.rank, rank);
        EXPECT_LT(distance_from_orthogonal(polar.rotation), 1e-12 * static_cast<double>(d));
        const double sum = polar.singular.sum().item<double>();
        const double attained = polar.rotation.mul(m).sum().item<double>();
        const double determinant = at::linalg_det(polar.rotation).item<double>();
        if (proper) {
          EXPECT_NEAR(determinant, 1, 1e-10);
        }
        const double lost = sum - attained;
        const double smallest = polar.singular[-1].item<double>();
        EXPECT_TRUE(std::abs(lost) < 1e-10 * (sum + 1) ||
                    (proper && std::abs(lost - 2 * smallest) < 1e-10 * (sum + 1)))
            << d << " " << rank << " " << lost;
      }
    }
  }
  // A symmetric positive semidefinite matrix is its own polar factor's: nothing is turned, and the
  // free directions neither.
  const at::Tensor half = random.normal_tensor({6, 3});
  EXPECT_TRUE(at::allclose(canonical_polar(half.matmul(half.t())).rotation, at::eye(6, at::kDouble),
                           0, 1e-9));
  // The completion does not depend on the last bits of the matrix, with determinant +1 or either.
  const at::Tensor deficient = random.normal_tensor({5, 2}).matmul(random.normal_tensor({2, 5}));
  const at::Tensor moved = deficient + 1e-15 * random.normal_tensor({5, 5});
  for (const bool proper : {false, true}) {
    EXPECT_TRUE(at::allclose(canonical_polar(moved, proper).rotation,
                             canonical_polar(deficient, proper).rotation, 0, 1e-8));
  }
  EXPECT_THROW(canonical_polar(at::zeros({2, 3})), Error);
}

// Haar: E[Q_ij^2] = 1/d and no preferred sign.
TEST(HaarRotation, IsUniform) {
  RandomStream random = random_stream(15, "test/haar");
  const std::int64_t d = 4;
  at::Tensor square = at::zeros({d, d}, at::kDouble);
  at::Tensor mean = at::zeros({d, d}, at::kDouble);
  int proper = 0;
  const int draws = 4000;
  for (int i = 0; i < draws; ++i) {
    const at::Tensor q = haar_rotation(d, random);
    square += q.square() / draws;
    mean += q / draws;
    proper += at::linalg_det(q).item<double>() > 0 ? 1 : 0;
  }
  // Standard deviations: of an entry 1/2, of its square sqrt(2/((d+2)d^2)(d-1)/...) < 0.25.
  EXPECT_LT((square - 0.25).abs().max().item<double>(), 5 * 0.25 / std::sqrt(draws));
  EXPECT_LT(mean.abs().max().item<double>(), 5 * 0.5 / std::sqrt(draws));
  EXPECT_NEAR(static_cast<double>(proper) / draws, 0.5, 5 * 0.5 / std::sqrt(draws));
}

}  // namespace
}  // namespace descramble::test
