// The fast path against the network run anew for each count, over networks, axes, bases, orders.

#include "experiment/ablation.h"

#include <algorithm>
#include <map>
#include <numeric>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>

#include "descramble/basis/kinds.h"
#include "descramble/stats/moments.h"
#include "descramble/taps/tapped_model.h"
#include "model/fixtures.h"

namespace descramble::test {
namespace {

struct Case {
  Model model;
  std::vector<c10::IValue> inputs{};
  at::Tensor untouched{};
};

Case case_of(const std::string& name, at::ScalarType dtype) {
  const Fixture& what = fixture(name);
  Case result{what.load().to_dtype(dtype)};
  // Several variants of the few example inputs, one behind the other.
  std::vector<at::Tensor> several;
  for (std::uint64_t variant = 0; variant < 6; ++variant)
    several.push_back(what.inputs(variant).at(0).toTensor().to(dtype));
  result.inputs = {at::cat(several)};
  result.untouched = result.model.forward_values(copies(result.inputs)).toTensor().clone();
  return result;
}

/// Every tap outside of `if` and `loop` whose value is floating point and can be cut at.
std::vector<std::string> taps_of(const Case& what) {
  std::vector<std::string> result;
  for (const TapReading& tap : read_taps(what.model, copies(what.inputs))) {
    const bool batched = !tap.sizes.empty() && tap.sizes[0] == what.untouched.size(0);
    if (tap.point.in_control_flow || tap.fired != 1 || !batched || tap.sizes.size() < 2) continue;
    result.push_back(tap.point.name);
  }
  return result;
}

std::vector<Axis> axes_of(const at::Tensor& value) {
  std::vector<Axis> result{Axis::features, Axis::channels};
  if (value.numel() / value.size(0) <= 160) result.push_back(Axis::neurons);
  return result;
}

/// c + Σ q qᵀ(h − c) over the directions that are left, the whole network behind it.
at::Tensor anew(const Case& what, const std::string& tap, Axis axis, const at::Tensor& target,
                const AblationPath& path, std::int64_t ablated) {
  const TappedModel tapped = tap_model(what.model, {tap});
  const Watch watch = tapped.replace(tap, [&](const at::Tensor& value) {
    const at::Tensor rows = to_rows(value, axis).to(at::kDouble) - target;
    const std::vector<std::int64_t> kept(path.order.begin() + ablated, path.order.end());
    at::Tensor result = target.expand_as(rows).clone();
    if (!kept.empty()) {
      const at::Tensor q = path.directions.index_select(1, at::tensor(kept, at::kLong));
      result += rows.matmul(q).matmul(q.t());
    }
    return at::empty_like(value).copy_(from_rows(result, value, axis));
  });
  return tapped.forward_values(copies(what.inputs)).toTensor();
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.to(at::kDouble);
  const at::Tensor y = b.to(at::kDouble);
  return ((x - y).abs().max() / y.abs().max().clamp_min(1e-30)).item<double>();
}

class LongAblations : public ::testing::TestWithParam<std::string> {};

TEST_P(LongAblations, AreTheNetworkRunAnew) {
  const at::NoGradGuard no_grad;
  int compared = 0;
  std::int64_t decided = 0;
  std::int64_t otherwise = 0;
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    const Case what = case_of(GetParam(), dtype);
    const double allowed = dtype == at::kFloat ? 1e-5 : 1e-11;
    for (const std::string& tap : taps_of(what)) {
      const TappedModel tapped = tap_model(what.model, {tap});
      std::optional<SplitModel> split;
      try {
        split = tapped.split(tap);
      } catch (const Error&) {
        continue;  // entangled; tests of the split name them
      }
      const Cut cut = split->prefix_values(copies(what.inputs));
      if (!cut.value.is_floating_point()) continue;
      for (const Axis axis : axes_of(cut.value)) {
        SCOPED_TRACE(tap + ", " + axis_name(axis) + ", " + dtype_name(dtype));
        const std::int64_t d = axis_size(cut.value, axis);
        Moments moments;
        moments.add(to_rows(cut.value, axis));
        const at::Tensor covariance = moments.covariance();
        if (covariance.trace().item<double>() <= 0) continue;
        std::vector<AblationPath> paths;
        for (const char* kind : {"pca", "neurons", "random"}) {
          const Basis basis =
              make_basis({{"kind", kind}}, {.moments = moments, .seed = 11}).draws.at(0);
          const at::Tensor explained = explained_variance(basis, covariance);
          for (const Order order : {Order::descending, Order::ascending, Order::given})
            paths.push_back({basis.directions(), ordered_components(explained, order)});
        }
        std::vector<std::int64_t> counts{0, d};
        for (const std::int64_t part : {1, 2, 3}) counts.push_back(d * part / 4);
        std::sort(counts.begin(), counts.end());
        counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
        for (const bool to_zero : {false, true}) {
          const at::Tensor target = to_zero ? at::zeros({d}, at::kDouble) : moments.mean();
          const Ablation ablation(*split, axis, target, paths);
          std::map<std::pair<std::size_t, std::int64_t>, at::Tensor> found;
          ablation.run(cut, counts,
                       [&](std::size_t path, std::int64_t count, const at::Tensor& output) {
                         found[{path, count}] = output.clone();
                       });
          ASSERT_EQ(found.size(), paths.size() * counts.size());
          for (std::size_t path = 0; path < paths.size(); ++path) {
            // T15, to the bit.
            EXPECT_TRUE(bit_equal(found.at({path, 0}), what.untouched));
            // T14: the same for every basis and order.
            EXPECT_TRUE(bit_equal(found.at({path, d}), found.at({0, d})));
            // Not each of the products in float64 for each path: the middle counts of some.
            for (const std::int64_t count : counts) {
              const at::Tensor expected = anew(what, tap, axis, target, paths[path], count);
              const at::Tensor& output = found.at({path, count});
              EXPECT_LE(difference(output, expected), allowed) << path << ", " << count;
              ++compared;
              if (output.dim() != 2 || output.size(1) < 2) continue;
              const at::Tensor top = std::get<0>(expected.to(at::kDouble).topk(2, 1));
              const at::Tensor range = (expected.max() - expected.min()).to(at::kDouble);
              const at::Tensor clear = (top.select(1, 0) - top.select(1, 1)).gt(1e-4 * range);
              const at::Tensor same = output.argmax(1).eq(expected.argmax(1));
              decided += clear.sum().item<std::int64_t>();
              otherwise += same.logical_not().logical_and(clear).sum().item<std::int64_t>();
            }
          }
        }
      }
    }
  }
  EXPECT_GT(compared, 100);
  EXPECT_EQ(otherwise, 0) << "of " << decided << " clear predictions";
}

INSTANTIATE_TEST_SUITE_P(, LongAblations,
                         ::testing::Values("mlp", "smooth_mlp", "conv_inplace_scripted",
                                           "resnet_blocks_scripted", "attention_scripted",
                                           "cat_blocks"),
                         by_name);

// T14 where nothing else reaches the output: every sample gets the same logits.
TEST(Ablation, OfEverythingIsTheConstantPrediction) {
  const at::NoGradGuard no_grad;
  for (const auto& [network, tap] :
       {std::pair{"mlp", "fc1"}, {"mlp", "act2"}, {"conv_inplace_scripted", "features.3"}}) {
    const Case what = case_of(network, at::kDouble);
    const SplitModel split = tap_model(what.model, {tap}).split(tap);
    const Cut cut = split.prefix_values(copies(what.inputs));
    const Axis axis = default_axis(cut.value);
    Moments moments;
    moments.add(to_rows(cut.value, axis));
    const std::int64_t d = moments.dimension();
    const Basis pca = make_basis({{"kind", "pca"}}, {.moments = moments}).draws.at(0);
    std::vector<std::int64_t> order(static_cast<std::size_t>(d));
    std::iota(order.begin(), order.end(), std::int64_t{0});
    const Ablation ablation(split, axis, moments.mean(), {{pca.directions(), order}});
    ablation.run(cut, {d}, [&](std::size_t, std::int64_t count, const at::Tensor& output) {
      EXPECT_EQ(count, d);
      EXPECT_LE((output - output[0]).abs().max().item<double>(), 1e-14) << network << " " << tap;
    });
  }
}

TEST(Ablation, OfAPartialBasisEndsAtItsSize) {
  const at::NoGradGuard no_grad;
  const Case what = case_of("mlp", at::kDouble);
  const SplitModel split = tap_model(what.model, {"fc1"}).split("fc1");
  const Cut cut = split.prefix_values(copies(what.inputs));
  const std::int64_t d = cut.value.size(1);
  const at::Tensor directions = at::eye(d, at::kDouble).slice(1, 0, 3).contiguous();
  const Ablation ablation(split, Axis::features, at::zeros({d}, at::kDouble),
                          {{directions, {2, 0, 1}}});
  std::vector<std::int64_t> seen;
  ablation.run(cut, {0, 2, 3, d}, [&](std::size_t, std::int64_t count, const at::Tensor& output) {
    seen.push_back(count);
    const AblationPath path{at::eye(d, at::kDouble), {2, 0, 1}};
    AblationPath whole = path;
    for (std::int64_t i = 3; i < d; ++i) whole.order.push_back(i);
    const at::Tensor target = at::zeros({d}, at::kDouble);
    EXPECT_LE(difference(output, anew(what, "fc1", Axis::features, target, whole, count)), 1e-14);
  });
  EXPECT_EQ(seen, (std::vector<std::int64_t>{0, 2, 3}));
  EXPECT_THAT(
      [&] {
        Ablation(split, Axis::features, at::zeros({d + 1}), {{directions, {0}}});
      },
      ThrowsError("do not fit"));
}

}  // namespace
}  // namespace descramble::test
