#include "descramble/basis/rotation_pair.h"

#include <cmath>
#include <limits>
#include <string>
#include <tuple>
#include <vector>

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "descramble/core/error.h"
#include "descramble/core/random.h"
#include "descramble/model/kinds.h"
#include "descramble/taps/tapped_model.h"
#include "throws.h"

namespace descramble::test {
namespace {

using nlohmann::json;

/// Haar on O(d): QR of a Gaussian matrix with the signs of R's diagonal.
at::Tensor haar(std::int64_t d, std::uint64_t index = 0) {
  RandomStream random = random_stream(13, "test/basis/haar", index);
  const auto [q, r] = at::linalg_qr(random.normal_tensor({d, d}));
  return q * r.diagonal().sign();
}

double relative(const at::Tensor& found, const at::Tensor& expected) {
  return ((found - expected).abs().max() / expected.abs().max()).item<double>();
}

TEST(RotationPairs, RefuseWhatIsNotOrthogonalAndSayHowFar) {
  const auto make = [](const at::Tensor& p) { return [p] { RotationPair pair(p); }; };
  EXPECT_THAT(make(2 * at::eye(3, at::kDouble)),
              ThrowsError("not a rotation", "<= 3.0e-06", "found 5.196e+00"));
  EXPECT_THAT(make(haar(5) + 1e-3), ThrowsError("not a rotation", "|PtP - I|"));
  EXPECT_THAT(make(at::zeros({4, 4})), ThrowsError("not a rotation", "found 2.000e+00"));
  EXPECT_THAT(make(at::full({2, 2}, std::nan(""))), ThrowsError("not a rotation", "nan"));
  EXPECT_THAT(make(at::full({2, 2}, std::numeric_limits<double>::infinity())),
              ThrowsError("not a rotation"));
  EXPECT_THAT(make(at::ones({2, 3})), ThrowsError("a square matrix", "2x3"));
  EXPECT_THAT(make(at::ones({3})), ThrowsError("a square matrix"));
  EXPECT_THAT(make(at::ones({0, 0})), ThrowsError("a square matrix"));
  EXPECT_THAT(make(haar(6).slice(1, 0, 5)), ThrowsError("a square matrix", "6x5"));
}

TEST(RotationPairs, TakeEveryOrthogonalMatrix) {
  EXPECT_NO_THROW(RotationPair(haar(300)));
  EXPECT_NO_THROW(RotationPair(haar(20).to(at::kFloat))) << "as exact as float32 is";
  EXPECT_NO_THROW(RotationPair(-at::ones({1, 1}, at::kDouble)));
  EXPECT_NO_THROW(RotationPair(haar(7).t()));
  EXPECT_EQ(RotationPair::identity(4).orthogonality(), 0);
  EXPECT_TRUE(at::equal(RotationPair::identity(4).matrix(), at::eye(4, at::kDouble)));
}

TEST(RotationPairs, HoldACopyInFloat64) {
  at::Tensor p = haar(6);
  const RotationPair pair(p);
  EXPECT_EQ(pair.dimension(), 6);
  p.zero_();
  EXPECT_LT(pair.orthogonality(), 1e-14) << "what becomes of the caller's matrix is not ours";
  EXPECT_EQ(RotationPair(haar(6).to(at::kFloat)).matrix().dtype(), at::kDouble);
}

TEST(RotationPairs, MeasureOrthogonalityAsItIsHeldAndAsABufferHoldsIt) {
  for (const std::int64_t d : {2, 30, 200}) {
    const RotationPair pair(haar(d));
    const auto size = static_cast<double>(d);
    EXPECT_LE(pair.orthogonality(), 1e-14 * size);
    EXPECT_EQ(pair.orthogonality(at::kDouble), pair.orthogonality());
    EXPECT_GT(pair.orthogonality(at::kFloat), pair.orthogonality());
    EXPECT_LE(pair.orthogonality(at::kFloat), 1e-6 * size);
    EXPECT_GT(pair.orthogonality(at::kHalf), pair.orthogonality(at::kFloat));
    EXPECT_LE(pair.orthogonality(at::kHalf), 1e-2 * size);
  }
}

// Every axis on values of every number of dimensions that has it, in both dtypes.
struct ValueCase {
  std::vector<std::int64_t> shape;
  Axis axis;
};

class RotationPairOnValues
    : public ::testing::TestWithParam<std::tuple<ValueCase, at::ScalarType>> {};

TEST_P(RotationPairOnValues, GoesThereAndBack) {
  const auto& [one, dtype] = GetParam();
  RandomStream random = random_stream(13, "test/values");
  const at::Tensor value = random.normal_tensor(one.shape).to(dtype);
  const RotationPair pair(haar(axis_size(value, one.axis)));
  const at::Tensor there = pair.rotate(value, one.axis);
  const at::Tensor back = pair.unrotate(there, one.axis);
  const double tolerance = dtype == at::kDouble ? 1e-12 : 1e-5;
  EXPECT_EQ(there.sizes(), value.sizes());
  EXPECT_EQ(there.dtype(), value.dtype());
  EXPECT_EQ(back.sizes(), value.sizes());
  EXPECT_LE(relative(back, value), tolerance);
  EXPECT_LE(relative(pair.round_trip(value, one.axis), value), tolerance);
  EXPECT_LE(std::abs((there.norm() / value.norm()).item<double>() - 1), tolerance);
  // Each row h becomes P h.
  const at::Tensor rows = to_rows(value, one.axis).to(at::kDouble);
  EXPECT_LE(relative(to_rows(there, one.axis).to(at::kDouble), rows.matmul(pair.matrix().t())),
            tolerance);
}

INSTANTIATE_TEST_SUITE_P(
    , RotationPairOnValues,
    ::testing::Combine(
        ::testing::Values(
            ValueCase{{7}, Axis::features}, ValueCase{{5, 7}, Axis::features},
            ValueCase{{2, 5, 7}, Axis::features}, ValueCase{{2, 3, 4, 7}, Axis::features},
            ValueCase{{2, 3, 2, 4, 7}, Axis::features}, ValueCase{{5, 7}, Axis::channels},
            ValueCase{{2, 7, 5}, Axis::channels}, ValueCase{{2, 7, 4, 3}, Axis::channels},
            ValueCase{{2, 7, 2, 4, 3}, Axis::channels}, ValueCase{{5, 7}, Axis::neurons},
            ValueCase{{5, 2, 3}, Axis::neurons}, ValueCase{{5, 2, 3, 2}, Axis::neurons},
            ValueCase{{5, 2, 3, 2, 2}, Axis::neurons}),
        ::testing::Values(at::kDouble, at::kFloat)));

TEST(RotationPairOnOddValues, TakesViews) {
  const RotationPair pair(haar(4));
  const at::Tensor value = random_stream(1, "view").normal_tensor({4, 6});
  EXPECT_LE(relative(pair.round_trip(value.t(), Axis::features), value.t()), 1e-14);
  const at::Tensor strided =
      random_stream(1, "strided").normal_tensor({3, 8, 5, 5}).slice(1, 0, 8, 2).slice(2, 1, 4);
  EXPECT_LE(relative(pair.round_trip(strided, Axis::channels), strided), 1e-14);
}

TEST(RotationPairOnOddValues, RefusesAnotherSize) {
  const RotationPair pair(haar(4));
  EXPECT_THAT(
      [&] {
        (void)pair.rotate(at::zeros({2, 5}), Axis::features);
      },
      ThrowsError("d = 5", "d = 4"));
  EXPECT_THAT(
      [&] {
        (void)pair.unrotate(at::zeros({2, 5, 4, 4}), Axis::channels);
      },
      ThrowsError("d = 5", "d = 4"));
}

// ---- T12
// -----------------------------------------------------------------------------------------

/// A network of each sort, with the tap before σ, that after it, and a batch for it.
struct Network {
  const char* name;
  const char* layers;
  std::vector<std::int64_t> input;
  std::vector<std::string> taps;
};

const std::vector<Network>& networks() {
  static const std::vector<Network> all{
      {"tanh",
       R"([{"kind": "linear", "name": "fc1", "out": 20}, {"kind": "tanh", "name": "act1"},
                   {"kind": "linear", "name": "fc2", "out": 5}])",
       {12},
       {"fc1", "act1"}},
      {"relu",
       R"([{"kind": "linear", "name": "fc1", "out": 20}, {"kind": "relu", "name": "act1"},
                   {"kind": "linear", "name": "fc2", "out": 5}])",
       {12},
       {"fc1", "act1"}},
      {"linear",
       R"([{"kind": "linear", "name": "fc1", "out": 20}, {"kind": "linear", "name": "fc2", "out": 5}])",
       {12},
       {"fc1", "fc2"}},
      {"conv",
       R"([{"kind": "conv2d", "name": "conv1", "out": 6, "kernel": 3, "padding": 1}, {"kind": "relu", "name": "act1"},
                   {"kind": "conv2d", "name": "conv2", "out": 4, "kernel": 3}, {"kind": "tanh", "name": "act2"},
                   {"kind": "flatten", "name": "flatten"}, {"kind": "linear", "name": "fc", "out": 5}])",
       {2, 8, 8},
       {"conv1", "act1", "conv2", "act2", "flatten"}}};
  return all;
}

class T12_FunctionPreservation
    : public ::testing::TestWithParam<std::tuple<std::size_t, at::ScalarType>> {
 protected:
  const Network& network() const { return networks()[std::get<0>(GetParam())]; }
  at::ScalarType dtype() const { return std::get<1>(GetParam()); }
  double tolerance() const { return dtype() == at::kDouble ? 1e-12 : 1e-5; }
  Model model() const {
    const json config = {{"kind", "sequential"},
                         {"input", network().input},
                         {"layers", json::parse(network().layers)}};
    return open_model(resolve_kind(model_family(), config, "/model"), {.seed = 3})
        .model.to_dtype(dtype());
  }
  at::Tensor batch(std::int64_t count) const {
    std::vector<std::int64_t> sizes = network().input;
    sizes.insert(sizes.begin(), count);
    return random_stream(3, "test/batch").normal_tensor(sizes).to(dtype());
  }
};

// REFERENCE T12: inserting h → Pᵀ(P h) before or after σ changes nothing, relative to the largest
// logit.
TEST_P(T12_FunctionPreservation, ThePairLeavesTheFunctionAlone) {
  const Model untouched = model();
  const at::Tensor x = batch(16);
  const at::Tensor expected = untouched.forward({x});
  for (const std::string& name : network().taps) {
    const TappedModel tapped = tap_model(untouched, {name});
    std::vector<at::Tensor> values;
    {
      const Watch watch = tapped.capture(name, values);
      tapped.forward({x});
    }
    for (const Axis axis : {default_axis(values.at(0)), Axis::neurons}) {
      const RotationPair pair(haar(axis_size(values.at(0), axis)));
      std::int64_t fired = 0;
      const Watch watch = tapped.replace(name, [&](const at::Tensor& h) {
        ++fired;
        return pair.round_trip(h, axis);
      });
      EXPECT_LE(relative(tapped.forward({x}), expected), tolerance())
          << name << " " << axis_name(axis);
      EXPECT_EQ(fired, 1);
      // A single rotation does change it: the test can fail.
      const Watch half =
          tapped.replace(name, [&](const at::Tensor& h) { return pair.rotate(h, axis); });
      EXPECT_GT(relative(tapped.forward({x}), expected), 1e-2) << name;
    }
    EXPECT_TRUE(at::equal(tapped.forward({x}), expected)) << "and is gone with its watch";
  }
}

// The same with a pair at every tap at once.
TEST_P(T12_FunctionPreservation, SoDoManyPairs) {
  const Model untouched = model();
  const at::Tensor x = batch(16);
  const TappedModel tapped = tap_model(untouched, network().taps);
  std::vector<Watch> watches;
  for (std::size_t i = 0; i < network().taps.size(); ++i) {
    watches.push_back(tapped.replace(network().taps[i], [i](const at::Tensor& h) {
      return RotationPair(haar(axis_size(h, default_axis(h)), i)).round_trip(h, default_axis(h));
    }));
  }
  EXPECT_LE(relative(tapped.forward({x}), untouched.forward({x})), 10 * tolerance());
}

// J Pᵀ is the Jacobian of the output by z = P h: its Frobenius norm is that of J.
TEST_P(T12_FunctionPreservation, RotatedJacobiansHaveTheSameNorm) {
  const Model untouched = model();
  const at::Tensor x = batch(1);
  for (const std::string& name : network().taps) {
    const TappedModel tapped = tap_model(untouched, {name});
    const auto jacobian = [&](const RotationPair* pair) {
      at::Tensor leaf;
      const Watch watch = tapped.replace(name, [&](const at::Tensor& h) {
        leaf = (pair == nullptr ? h : pair->rotate(h, Axis::neurons))
                   .detach()
                   .clone()
                   .set_requires_grad(true);
        return pair == nullptr ? leaf * 1 : pair->unrotate(leaf, Axis::neurons);
      });
      const at::Tensor output = tapped.forward({x});
      std::vector<at::Tensor> rows;
      for (std::int64_t k = 0; k < output.size(1); ++k) {
        if (leaf.grad().defined()) leaf.mutable_grad().zero_();
        output[0][k].backward({}, /*retain_graph=*/true);
        rows.push_back(leaf.grad().flatten().clone());
      }
      return at::stack(rows).to(at::kDouble);
    };
    const at::Tensor plain = jacobian(nullptr);
    const RotationPair pair(haar(plain.size(1)));
    const at::Tensor rotated = jacobian(&pair);
    const double bound = 10 * tolerance();
    EXPECT_NEAR((rotated.norm() / plain.norm()).item<double>(), 1, bound) << name;
    EXPECT_LE(relative(rotated, plain.matmul(pair.matrix().t())), bound) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(, T12_FunctionPreservation,
                         ::testing::Combine(::testing::Range<std::size_t>(0, networks().size()),
                                            ::testing::Values(at::kDouble, at::kFloat)),
                         [](const auto& one) {
                           return std::string(networks()[std::get<0>(one.param)].name) +
                                  (std::get<1>(one.param) == at::kDouble ? "_float64" : "_float32");
                         });

}  // namespace
}  // namespace descramble::test
