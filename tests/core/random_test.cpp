#include "descramble/core/random.h"

#include <algorithm>
#include <cmath>
#include <set>

#include <ATen/ATen.h>

#include "throws.h"

namespace descramble::test {
namespace {

// By an independent implementation in Python (FNV-1a, the finaliser of splitmix64, MT19937-64
// written out). A stream that changes would change every seeded result.
TEST(RandomStreams, StayWhatTheyWere) {
  EXPECT_EQ(random_stream(0U, "", 0).bits(), 15881817094922280562ULL);
  EXPECT_EQ(random_stream(1U, "haar", 0).bits(), 16259304468139586586ULL);
  EXPECT_EQ(random_stream(1U, "haar", 1).bits(), 17400443856501660632ULL);
  EXPECT_EQ(random_stream(18446744073709551615ULL, "init/fc1", 3).bits(), 4816627920523160751ULL);
  RandomStream uniform = random_stream(1, "haar");
  EXPECT_EQ(uniform.uniform(), 0.8814186613730104);
  EXPECT_EQ(uniform.uniform(), 0.5484700286552763);
  RandomStream normal = random_stream(1, "haar");
  EXPECT_NEAR(normal.normal(), -1.9699953415817566, 1e-15);
  EXPECT_NEAR(normal.normal(), -0.6192177791868833, 1e-15);
  EXPECT_EQ(random_stream(7, "shuffle").permutation(10),
            (std::vector<std::int64_t>{0, 2, 7, 6, 3, 9, 8, 1, 5, 4}));
}

// The engine is the standard's, whose 10000th number from its default seed the standard states
// (C++11, [rand.predef]).
TEST(RandomStreams, RunOnTheStandardEngine) {
  RandomStream random(5489);
  std::uint64_t last = 0;
  for (int i = 0; i < 10'000; ++i) last = random.bits();
  EXPECT_EQ(last, 9981545732273789042ULL);
}

TEST(RandomStreams, RepeatAndDiffer) {
  EXPECT_EQ(random_stream(1, "a", 2).bits(), random_stream(1, "a", 2).bits());
  std::set<std::uint64_t> seen;
  int streams = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    for (const char* name : {"", "a", "b", "ab", "ba", "init/fc1"}) {
      for (std::uint64_t index = 0; index < 20; ++index, ++streams)
        seen.insert(random_stream(seed, name, index).bits());
    }
  }
  EXPECT_EQ(seen.size(), static_cast<std::size_t>(streams));
}

TEST(RandomStreams, OfNeighbouringIndicesAreUncorrelated) {
  constexpr int count = 20'000;
  const auto correlation = [](auto&& first, auto&& second) {
    double sum = 0;
    for (int i = 0; i < count; ++i) {
      const auto index = static_cast<std::uint64_t>(i);
      sum += (first(index) - 0.5) * (second(index) - 0.5) * 12;
    }
    return sum / count;
  };
  const auto stream = [](std::uint64_t seed, const char* name, std::uint64_t offset) {
    return [=](std::uint64_t index) { return random_stream(seed, name, index + offset).uniform(); };
  };
  const double limit = 5 / std::sqrt(static_cast<double>(count));
  EXPECT_LT(std::abs(correlation(stream(1, "a", 0), stream(1, "a", 1))), limit);
  EXPECT_LT(std::abs(correlation(stream(1, "a", 0), stream(2, "a", 0))), limit);
  EXPECT_LT(std::abs(correlation(stream(1, "a", 0), stream(1, "b", 0))), limit);
}

TEST(Uniform, LiesInItsRangeEvenly) {
  RandomStream random = random_stream(1, "uniform");
  std::vector<int> bins(10);
  for (int i = 0; i < 100'000; ++i) {
    const double value = random.uniform();
    ASSERT_GE(value, 0);
    ASSERT_LT(value, 1);
    ++bins[static_cast<std::size_t>(value * 10)];
  }
  for (const int bin : bins) EXPECT_NEAR(bin, 10'000, 5 * std::sqrt(9'000.0));
  for (int i = 0; i < 1000; ++i) {
    const double value = random.uniform(-3, 5);
    ASSERT_GE(value, -3);
    ASSERT_LT(value, 5);
  }
}

TEST(Normal, HasTheMomentsOfTheNormalDistribution) {
  RandomStream random = random_stream(1, "normal");
  const at::Tensor x = random.normal_tensor({200'000});
  const double rounding = 5 / std::sqrt(200'000.0);
  EXPECT_NEAR(x.mean().item<double>(), 0, rounding);
  EXPECT_NEAR(x.square().mean().item<double>(), 1, rounding * std::sqrt(2.0));
  EXPECT_NEAR(x.pow(3).mean().item<double>(), 0, rounding * std::sqrt(15.0));
  EXPECT_NEAR(x.pow(4).mean().item<double>(), 3, rounding * std::sqrt(96.0));
  EXPECT_NEAR(x.slice(0, 0, 199'999).dot(x.slice(0, 1)).item<double>() / 200'000, 0, rounding);
  EXPECT_NEAR(x.abs().lt(1.959964).to(at::kDouble).mean().item<double>(), 0.95, rounding);
}

TEST(Below, IsEvenAndRefusesNothingness) {
  RandomStream random = random_stream(1, "below");
  std::vector<int> bins(7);
  for (int i = 0; i < 70'000; ++i) ++bins[static_cast<std::size_t>(random.below(7))];
  for (const int bin : bins) EXPECT_NEAR(bin, 10'000, 5 * std::sqrt(10'000.0));
  EXPECT_EQ(random.below(1), 0);
  EXPECT_GE(random.below(INT64_MAX), 0);
  EXPECT_THAT([&] { random.below(0); }, ThrowsError("n >= 1", "found 0"));
}

TEST(Permutation, HoldsEachNumberOnceInAnyOrder) {
  RandomStream random = random_stream(1, "permutation");
  std::vector<int> counts(6);
  for (int i = 0; i < 60'000; ++i) {
    std::vector<std::int64_t> order = random.permutation(3);
    ++counts[static_cast<std::size_t>((order[0] * 2) + (order[1] > order[2] ? 1 : 0))];
  }
  for (const int count : counts) EXPECT_NEAR(count, 10'000, 5 * std::sqrt(10'000.0));
  std::vector<std::int64_t> order = random.permutation(1000);
  std::sort(order.begin(), order.end());
  for (std::int64_t i = 0; i < 1000; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
  EXPECT_TRUE(random.permutation(0).empty());
  EXPECT_THAT([&] { random.permutation(-1); }, ThrowsError("n >= 0", "found -1"));
}

TEST(RandomTensors, AreDoublesDrawnInOrder) {
  const at::Tensor tensor = random_stream(3, "t").normal_tensor({2, 3});
  RandomStream again = random_stream(3, "t");
  EXPECT_EQ(tensor.dtype(), at::kDouble);
  for (std::int64_t i = 0; i < 2; ++i) {
    for (std::int64_t j = 0; j < 3; ++j) EXPECT_EQ(tensor[i][j].item<double>(), again.normal());
  }
  EXPECT_EQ(random_stream(3, "t").uniform_tensor({0, 4}, 0, 1).numel(), 0);
}

}  // namespace
}  // namespace descramble::test
