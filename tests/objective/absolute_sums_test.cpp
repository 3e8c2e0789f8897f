// Sums of |z| and of its smooth stand-in, against their formulas.

#include "objective/absolute_sums.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "descramble/core/random.h"

namespace descramble::test {
namespace {

TEST(AbsoluteSums, AreWhatTheFormulaSays) {
  RandomStream random = random_stream(3, "test/absolute");
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    for (const std::int64_t rows : {1, 7, 300}) {
      for (const std::int64_t d : {1, 31, 32, 100, 513, 1500}) {
        at::Tensor given = random.normal_tensor({rows, d}).to(dtype);
        given.view({-1})[0] = 0;
        const at::Tensor weights = random.uniform_tensor({rows}, 0, 2);
        for (const double epsilon : {0.0, 1.0, 0.01}) {
          for (const bool weighted : {false, true}) {
            const at::Tensor z = given.to(at::kDouble);
            const at::Tensor root = (z.square() + epsilon * epsilon).sqrt();
            const double sharp = z.abs().sum(1).dot(weights).item<double>();
            const double value =
                epsilon > 0 ? (root - epsilon).sum(1).dot(weights).item<double>() : sharp;
            at::Tensor slope = epsilon > 0 ? z / root : z.sign();
            if (weighted) slope = slope * weights.unsqueeze(1);
            const double precision = dtype == at::kDouble ? 1e-13 : 2e-6;
            at::Tensor changed = given.clone();
            const AbsoluteSums with = absolute_sums(changed, weights, epsilon, true, weighted);
            EXPECT_NEAR(with.value, value, precision * sharp);
            EXPECT_NEAR(with.sharp, sharp, precision * sharp);
            EXPECT_LE((changed - slope).abs().max().item<double>(), 2 * precision);
            at::Tensor kept = given.clone();
            const AbsoluteSums without = absolute_sums(kept, weights, epsilon, false, weighted);
            EXPECT_EQ(without.value, with.value) << "bit for bit";
            EXPECT_EQ(without.sharp, with.sharp);
            EXPECT_TRUE(at::equal(kept, given));
          }
        }
      }
    }
  }
}

// The other way to the same numbers, for devices that have no pass of their own.
TEST(AbsoluteSums, AreTheSameForValuesInAnotherOrder) {
  const at::Tensor given = random_stream(4, "test/absolute").normal_tensor({40, 33});
  const at::Tensor weights = at::ones({40}, at::kDouble);
  at::Tensor straight = given.clone();
  at::Tensor turned = given.t().contiguous().t();
  ASSERT_FALSE(turned.is_contiguous());
  const AbsoluteSums a = absolute_sums(straight, weights, 0.1, true, true);
  const AbsoluteSums b = absolute_sums(turned, weights, 0.1, true, true);
  EXPECT_NEAR(a.value, b.value, 1e-12 * a.value);
  EXPECT_NEAR(a.sharp, b.sharp, 1e-12 * a.value);
  EXPECT_LE((straight - turned).abs().max().item<double>(), 1e-14);
}

}  // namespace
}  // namespace descramble::test
