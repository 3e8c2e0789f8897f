#include "descramble/stats/moments.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include "descramble/core/error.h"
#include "descramble/core/random.h"
#include "throws.h"

namespace descramble::test {
namespace {

at::Tensor random_rows(std::int64_t n, std::int64_t d, std::uint64_t index = 0) {
  RandomStream random = random_stream(7, "test/moments", index);
  return random.normal_tensor({n, d}).matmul(random.normal_tensor({d, d}) /
                                             std::sqrt(static_cast<double>(d)));
}

/// The two passes of the definition, in float64.
struct TwoPass {
  at::Tensor mean;
  at::Tensor covariance;
};

TwoPass two_pass(const at::Tensor& rows) {
  const at::Tensor all = rows.to(at::kDouble);
  const at::Tensor mean = all.mean(0);
  const at::Tensor centred = all - mean;
  return {mean, centred.t().matmul(centred) / static_cast<double>(all.size(0))};
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}
double largest(const at::Tensor& a) {
  return a.abs().max().item<double>();
}

// Rows of every dtype, cut into batches in several ways, near 0 and far from it.
using Case = std::tuple<at::ScalarType, std::int64_t, std::int64_t, double>;
class MomentsOfRows : public ::testing::TestWithParam<Case> {};

TEST_P(MomentsOfRows, AreThoseOfTwoPasses) {
  const auto [dtype, d, batch, offset] = GetParam();
  const at::Tensor rows =
      (random_rows(203, d) * (at::isIntegralType(dtype, true) ? 10 : 1) + offset).to(dtype);
  const TwoPass expected = two_pass(rows);
  Moments moments;
  for (std::int64_t begin = 0; begin < rows.size(0); begin += batch) {
    moments.add(rows.slice(0, begin, std::min(begin + batch, rows.size(0))));
  }
  EXPECT_EQ(moments.count(), 203);
  EXPECT_EQ(moments.dimension(), d);
  // The mean is known to its last bits, and the covariance no better than offset² times its
  // rounding squared, plus its own rounding.
  const double scale = largest(expected.covariance);
  const double epsilon = std::numeric_limits<double>::epsilon();
  EXPECT_LE(difference(moments.mean(), expected.mean),
            50 * epsilon * (std::abs(offset) + 10 + largest(expected.mean)));
  EXPECT_LE(difference(moments.covariance(), expected.covariance),
            1e-13 * scale + 1e2 * epsilon * std::abs(offset));
  EXPECT_EQ(difference(moments.covariance(), moments.covariance().t()), 0);
  const at::Tensor second = expected.covariance + at::outer(expected.mean, expected.mean);
  EXPECT_LE(difference(moments.second_moment(), second), 1e-13 * largest(second));
  const at::Tensor eigenvalues = at::linalg_eigvalsh(moments.covariance());
  EXPECT_GE(eigenvalues.min().item<double>(), -1e-13 * static_cast<double>(d) * scale);
}

INSTANTIATE_TEST_SUITE_P(, MomentsOfRows,
                         ::testing::Combine(::testing::Values(at::kDouble, at::kFloat, at::kHalf,
                                                              at::kBFloat16, at::kLong, at::kByte),
                                            ::testing::Values(1, 3, 40),
                                            ::testing::Values(1, 64, 1000),
                                            ::testing::Values(0.0, 100.0)));

// Values of 1e6 that vary by 1e-3: sums of squares in float64 would have an error of 1e12·1e-16 =
// 1e-4 against a variance of 1e-6.
TEST(MomentsFarFromZero, KeepSmallVariances) {
  for (const std::int64_t batch : {1, 17, 500}) {
    const at::Tensor rows = random_rows(500, 6) * 1e-3 + 1e6;
    const TwoPass expected = two_pass(rows);
    Moments moments;
    for (std::int64_t begin = 0; begin < 500; begin += batch) {
      moments.add(rows.slice(0, begin, std::min<std::int64_t>(begin + batch, 500)));
    }
    const double scale = largest(expected.covariance);
    EXPECT_LE(difference(moments.covariance(), expected.covariance), 1e-5 * scale) << batch;
    EXPECT_GE(at::linalg_eigvalsh(moments.covariance()).min().item<double>(), 0) << batch;
  }
}

TEST(MomentsFarFromZero, OfEqualRowsAreNeverNegative) {
  Moments moments;
  for (int i = 0; i < 10; ++i) moments.add(at::full({7, 5}, 1e6 + 0.1, at::kDouble));
  const double rounding = std::pow(1e6 * std::numeric_limits<double>::epsilon(), 2);
  EXPECT_LE(largest(moments.covariance()), rounding);
  EXPECT_GE(at::linalg_eigvalsh(moments.covariance()).min().item<double>(), -rounding);
}

// d beyond one block of the scatter, rows beyond one batch.
TEST(MomentsOfWideRows, AreThoseOfTwoPasses) {
  const at::Tensor rows = at::randn({60, 1100}, at::kDouble) + 3;
  const TwoPass expected = two_pass(rows);
  Moments moments;
  moments.add(rows.slice(0, 0, 23).to(at::kDouble));
  moments.add(rows.slice(0, 23, 60));
  EXPECT_LE(difference(moments.covariance(), expected.covariance),
            1e-13 * largest(expected.covariance) * 10);
  Moments halves;
  Moments rest;
  halves.add(rows.slice(0, 0, 11));
  rest.add(rows.slice(0, 11, 60));
  halves.merge(rest);
  EXPECT_LE(difference(halves.covariance(), expected.covariance),
            1e-13 * largest(expected.covariance) * 10);
}

TEST(MomentsOfManyRows, AreTakenInPieces) {
  const at::Tensor rows =
      random_rows(5'000, 1000).to(at::kFloat);  // more than are converted at a time
  const TwoPass expected = two_pass(rows);
  Moments moments;
  moments.add(rows);
  EXPECT_EQ(moments.count(), 5'000);
  EXPECT_LE(difference(moments.covariance(), expected.covariance),
            1e-12 * largest(expected.covariance));
}

TEST(MomentsOfViews, AreThoseOfTheirCopies) {
  const at::Tensor whole = random_rows(30, 12);
  for (const at::Tensor& view : {whole.t(), whole.slice(1, 2, 9), whole.slice(0, 0, 30, 3),
                                 whole.flip(0), whole.slice(0, 0, 1).expand({8, 12})}) {
    Moments of_view;
    of_view.add(view);
    const TwoPass expected = two_pass(view.contiguous());
    EXPECT_LE(difference(of_view.covariance(), expected.covariance), 1e-13);
  }
}

TEST(MomentsAdd, LeavesTheRowsAlone) {
  const at::Tensor rows = random_rows(9, 4);
  const at::Tensor copy = rows.clone();
  Moments moments;
  moments.add(rows);
  EXPECT_TRUE(at::equal(rows, copy));
  moments.mean().zero_();
  moments.covariance().zero_();
  EXPECT_LE(difference(moments.covariance(), two_pass(copy).covariance), 1e-14)
      << "results are copies";
}

TEST(MomentsAdd, NeedsNoGradient) {
  at::Tensor rows = random_rows(9, 4).set_requires_grad(true);
  Moments moments;
  moments.add(rows * 2);
  EXPECT_FALSE(moments.covariance().requires_grad());
}

TEST(MomentsAdd, OneRowHasNoVariance) {
  Moments moments;
  moments.add(at::tensor({1.0, -2.0, 3.0}, at::kDouble).unsqueeze(0));
  EXPECT_EQ(largest(moments.covariance()), 0);
  EXPECT_EQ(difference(moments.second_moment(), at::outer(moments.mean(), moments.mean())), 0);
}

TEST(MomentsAdd, NoRowsChangeNothing) {
  Moments moments;
  moments.add(at::zeros({0, 4}));
  EXPECT_EQ(moments.count(), 0);
  moments.add(random_rows(5, 4));
  const at::Tensor before = moments.covariance();
  moments.add(at::zeros({0, 4}));
  EXPECT_EQ(moments.count(), 5);
  EXPECT_TRUE(at::equal(moments.covariance(), before));
}

TEST(MomentsMerge, IsTheSameInAnyOrder) {
  const at::Tensor rows = random_rows(300, 20) + 50;
  const TwoPass expected = two_pass(rows);
  const std::vector<std::int64_t> cuts{0, 1, 40, 41, 150, 300};
  std::vector<std::size_t> order{0, 1, 2, 3, 4};
  do {
    Moments total;
    for (const std::size_t part : order) {
      Moments one;
      one.add(rows.slice(0, cuts[part], cuts[part + 1]));
      total.merge(one);
    }
    ASSERT_EQ(total.count(), 300);
    ASSERT_LE(difference(total.mean(), expected.mean), 1e-12);
    ASSERT_LE(difference(total.covariance(), expected.covariance),
              1e-12 * largest(expected.covariance));
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(MomentsMerge, WithNothingChangesNothing) {
  Moments moments;
  moments.add(random_rows(5, 3));
  const at::Tensor before = moments.covariance();
  moments.merge(Moments());
  EXPECT_TRUE(at::equal(moments.covariance(), before));
  Moments empty;
  empty.merge(moments);
  EXPECT_TRUE(at::equal(empty.covariance(), before));
}

TEST(MomentsMerge, LeavesTheOtherAlone) {
  Moments a;
  Moments b;
  a.add(random_rows(5, 3));
  b.add(random_rows(8, 3, 1) + 1);
  const at::Tensor before = b.covariance();
  Moments first;
  first.merge(b);
  first.add(random_rows(4, 3, 2));
  a.merge(b);
  EXPECT_TRUE(at::equal(b.covariance(), before));
  EXPECT_EQ(b.count(), 8);
}

TEST(MomentsMerge, WithItselfDoublesTheCount) {
  Moments moments;
  moments.add(random_rows(6, 3));
  const at::Tensor covariance = moments.covariance();
  moments.merge(moments);
  EXPECT_EQ(moments.count(), 12);
  EXPECT_LE(difference(moments.covariance(), covariance), 1e-15);
}

TEST(MomentsFrom, SavedOnesGoesOnWhereTheyStopped) {
  const at::Tensor rows = random_rows(100, 7) + 2;
  Moments first;
  first.add(rows.slice(0, 0, 60));
  Moments again = Moments::from(first.count(), first.mean(), first.covariance());
  again.add(rows.slice(0, 60, 100));
  EXPECT_EQ(again.count(), 100);
  EXPECT_LE(difference(again.covariance(), two_pass(rows).covariance),
            1e-13 * largest(again.covariance()));
}

TEST(MomentsFrom, RefusesWhatDoesNotFit) {
  const at::Tensor mean = at::zeros({3});
  const at::Tensor covariance = at::eye(3);
  EXPECT_THAT([&] { Moments::from(0, mean, covariance); }, ThrowsError("count >= 1", "count 0"));
  EXPECT_THAT([&] { Moments::from(2, at::zeros({2}), covariance); }, ThrowsError("do not fit"));
  EXPECT_THAT([&] { Moments::from(2, mean, at::zeros({3, 2})); }, ThrowsError("do not fit"));
  EXPECT_THAT([&] { Moments::from(2, at::zeros({3, 1}), covariance); }, ThrowsError("do not fit"));
}

TEST(MomentsRefuse, NonFiniteValuesAndKeepWhatTheyHad) {
  for (const double bad :
       {std::nan(""), static_cast<double>(INFINITY), -static_cast<double>(INFINITY)}) {
    for (const at::ScalarType dtype : {at::kDouble, at::kFloat, at::kHalf}) {
      Moments moments;
      at::Tensor rows = random_rows(5, 3).to(dtype);
      moments.add(rows);
      const at::Tensor before = moments.covariance();
      at::Tensor broken = rows.clone();
      broken[4][2] = bad;
      EXPECT_THAT([&] { moments.add(broken); },
                  ThrowsError("non-finite values", "NaN or infinity"));
      EXPECT_EQ(moments.count(), 5);
      EXPECT_TRUE(at::equal(moments.covariance(), before));
      Moments fresh;
      EXPECT_THROW(fresh.add(broken), Error);
      EXPECT_EQ(fresh.count(), 0);
    }
  }
}

TEST(MomentsRefuse, ButNotLargeValuesWhoseSumOverflows) {
  Moments moments;
  moments.add(at::full({8, 4}, 3e38, at::kFloat));
  moments.add(at::full({8, 4}, 60000.0, at::kHalf) * 1);
  EXPECT_EQ(moments.count(), 16);
}

TEST(MomentsRefuse, RowsOfAnotherShape) {
  Moments moments;
  moments.add(random_rows(5, 3));
  EXPECT_THAT([&] { moments.add(random_rows(5, 4)); },
              ThrowsError("expected d = 3", "found d = 4"));
  EXPECT_THAT(
      [&] {
        moments.add(at::zeros({0, 4}));
      },
      ThrowsError("expected d = 3", "found d = 4"));
  EXPECT_THAT([&] { moments.add(at::zeros({3})); }, ThrowsError("a matrix N x d", "1 dimensions"));
  EXPECT_THAT(
      [&] {
        moments.add(at::zeros({2, 3, 3}));
      },
      ThrowsError("a matrix N x d", "3 dimensions"));
  EXPECT_THAT([&] { moments.add(at::zeros({2, 0})); }, ThrowsError("d >= 1", "2 x 0"));
  EXPECT_THAT(
      [&] {
        moments.add(at::zeros({2, 3}, at::kComplexDouble));
      },
      ThrowsError("a real dtype", "Complex"));
  Moments other;
  other.add(random_rows(5, 2));
  EXPECT_THAT([&] { moments.merge(other); }, ThrowsError("expected d = 3", "found d = 2"));
  EXPECT_EQ(moments.count(), 5);
}

TEST(MomentsRefuse, ToAnswerWithoutRows) {
  EXPECT_THAT([] { Moments().mean(); }, ThrowsError("no moments", "at least one row"));
  EXPECT_THAT([] { Moments().covariance(); }, ThrowsError("no moments"));
  EXPECT_THAT([] { Moments().second_moment(); }, ThrowsError("no moments"));
}

}  // namespace
}  // namespace descramble::test
