// Diagonal objectives against what is known of them.

#include "descramble/objective/maximum_diagonal.h"

#include "objective/support.h"

namespace descramble::test {
namespace {

at::Tensor drawn(at::IntArrayRef sizes, std::uint64_t index) {
  return random_stream(21, "test/weight", index).normal_tensor(sizes);
}

double singular_sum(const at::Tensor& w) {
  return std::get<1>(at::linalg_svd(w)).sum().item<double>();
}

// REFERENCE T10: random 9 x 9.
TEST(T10, MaximumDiagonalSumIsTheNuclearNorm) {
  int improper = 0;
  for (std::uint64_t i = 0; i < 20; ++i) {
    const at::Tensor w = drawn({9, 9}, i);
    const MaximumDiagonalSum objective(w);
    const at::Tensor p = objective.solve_exactly()->rotation;
    const at::Tensor product = p.matmul(w);
    EXPECT_NEAR(product.trace().item<double>(), singular_sum(w), 1e-10 * singular_sum(w));
    EXPECT_NEAR(-objective.value(p), singular_sum(w), 1e-10 * singular_sum(w));
    EXPECT_LT(difference(product, product.t()), 1e-12);

    const MaximumDiagonalSum proper(w, true);
    const at::Tensor q = proper.solve_exactly()->rotation;
    EXPECT_GT(determinant_sign(q), 0);
    const at::Tensor sigma = std::get<1>(at::linalg_svd(w));
    const bool turned = determinant_sign(p) < 0;
    improper += turned ? 1 : 0;
    const double expected = singular_sum(w) - (turned ? 2 * sigma[-1].item<double>() : 0.0);
    EXPECT_NEAR(q.matmul(w).trace().item<double>(), expected, 1e-10 * expected);
    EXPECT_NEAR(-*proper.optimum(), expected, 1e-10 * expected);
  }
  EXPECT_GT(improper, 0) << "no matrix with negative determinant was drawn";
  EXPECT_LT(improper, 20);
}

TEST(MaximumDiagonalSum, TakesAnyShapeOfWeight) {
  for (const std::vector<std::int64_t>& sizes :
       {std::vector<std::int64_t>{5, 9}, {9, 5}, {1, 4}, {4, 1}, {6, 2, 3, 3}, {20, 1, 3, 3}}) {
    const at::Tensor w = drawn(sizes, 40);
    const MaximumDiagonalSum objective(w);
    const std::int64_t d = sizes[0];
    const at::Tensor flat = w.flatten(1);
    const std::int64_t diagonal = std::min(d, flat.size(1));
    const std::optional<ExactPoint> exact = objective.solve_exactly();
    EXPECT_EQ(exact->degenerate, d - diagonal);
    EXPECT_EQ(objective.warnings().size(), d > diagonal ? 1u : 0u);
    EXPECT_NEAR(exact->rotation.matmul(flat).diagonal().sum().item<double>(),
                singular_sum(flat.slice(1, 0, diagonal)), 1e-10 * static_cast<double>(d + 1));
  }
  EXPECT_THAT([] { MaximumDiagonalSum(at::zeros({3})); }, ThrowsError("bad weight"));
  EXPECT_THAT([] { MaximumDiagonalSum(at::full({2, 2}, NAN)); }, ThrowsError("bad weight"));
}

TEST(MaximumDiagonalNormSquare, BoundHoldsAndIsAttainedByADiagonal) {
  const at::Tensor diagonal = at::diag(at::tensor({3.0, -2.0, 1.0, 0.5}, at::kDouble));
  for (std::uint64_t i = 0; i < 5; ++i) {
    const at::Tensor planted = haar(4, 70 + i);
    const MaximumDiagonalNormSquare objective(planted.t().matmul(diagonal));
    EXPECT_NEAR(-objective.value(planted), 14.25, 1e-12);
    const std::optional<double> bound = objective.lower_bound(planted);
    ASSERT_TRUE(bound);
    EXPECT_NEAR(*bound, -14.25, 1e-10);
    for (std::uint64_t j = 0; j < 20; ++j)
      EXPECT_GE(objective.value(haar(4, 100 + j)), *bound - 1e-10);
  }
}

TEST(MaximumDiagonalNormSquare, SaysNothingWhereTheBoundIsNoProof) {
  const MaximumDiagonalNormSquare objective(drawn({6, 6}, 50));
  int none = 0;
  for (std::uint64_t i = 0; i < 20; ++i) none += objective.lower_bound(haar(6, i)) ? 0 : 1;
  EXPECT_GT(none, 0);
  EXPECT_FALSE(MaximumDiagonalNormSquare(at::zeros({3, 3}, at::kDouble))
                   .lower_bound(at::eye(3, at::kDouble)));
}

}  // namespace
}  // namespace descramble::test
