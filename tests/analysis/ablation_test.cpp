// The fast path against the network run anew for each count, over networks, axes, bases, orders.

#include "descramble/analysis/ablation.h"

#include <algorithm>
#include <iostream>
#include <map>
#include <optional>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "descramble/analysis/score.h"
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
  for (std::uint64_t variant = 0; variant < 4; ++variant)
    several.push_back(what.inputs(variant).at(0).toTensor().to(dtype));
  result.inputs = {at::cat(several)};
  result.untouched = result.model.forward_values(copies(result.inputs)).toTensor().clone();
  return result;
}

/// A tap and the network cut there.
struct CutTap {
  std::string name{};
  TappedModel tapped;
  SplitModel split;
  Cut cut{};
};

std::optional<CutTap> cut_at(const Case& what, const std::string& name) {
  const TappedModel tapped = tap_model(what.model, {name});
  try {
    CutTap result{name, tapped, tapped.split(name)};
    result.cut = result.split.prefix_values(copies(what.inputs));
    return result;
  } catch (const Error&) {
    return std::nullopt;  // entangled; tests of the split name them
  }
}

/// Six taps spread over the network, of those outside of `if` and `loop` whose value is floating
/// point and can be cut at. All where there are fewer.
std::vector<CutTap> some_taps(const Case& what) {
  std::vector<std::string> names;
  for (const TapReading& tap : read_taps(what.model, copies(what.inputs))) {
    const bool batched = !tap.sizes.empty() && tap.sizes[0] == what.untouched.size(0);
    if (tap.point.in_control_flow || tap.fired != 1 || !batched || tap.sizes.size() < 2) continue;
    names.push_back(tap.point.name);
  }
  constexpr std::size_t wanted = 6;
  std::vector<CutTap> result;
  std::size_t next = 0;
  for (std::size_t i = 0; i < wanted && next < names.size(); ++i) {
    next = std::max(next, i * (names.size() - 1) / (wanted - 1));
    for (bool found = false; !found && next < names.size(); ++next) {
      std::optional<CutTap> tap = cut_at(what, names[next]);
      found = tap.has_value() && tap->cut.value.is_floating_point();
      if (found) result.push_back(std::move(*tap));
    }
  }
  return result;
}

std::vector<Axis> axes_of(const at::Tensor& value) {
  std::vector<Axis> result{Axis::features, Axis::channels};
  if (value.numel() / value.size(0) <= 160) result.push_back(Axis::neurons);
  return result;
}

/// c + Σ q qᵀ(h − c) over the directions that are left, the whole network behind it.
at::Tensor anew(const Case& what, const CutTap& tap, Axis axis, const at::Tensor& target,
                const AblationPath& path, std::int64_t ablated) {
  const Watch watch = tap.tapped.replace(tap.name, [&](const at::Tensor& value) {
    const at::Tensor rows = to_rows(value, axis).to(at::kDouble) - target;
    const std::vector<std::int64_t> kept(path.order.begin() + ablated, path.order.end());
    at::Tensor result = target.expand_as(rows).clone();
    if (!kept.empty()) {
      const at::Tensor q = path.directions.index_select(1, at::tensor(kept, at::kLong));
      result += rows.matmul(q).matmul(q.t());
    }
    return at::empty_like(value).copy_(from_rows(result, value, axis));
  });
  return tap.tapped.forward_values(copies(what.inputs)).toTensor();
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.to(at::kDouble);
  const at::Tensor y = b.to(at::kDouble);
  return ((x - y).abs().max() / y.abs().max().clamp_min(1e-30)).item<double>();
}

/// Principal components, neurons and random directions, each in every order. T13 on the way.
std::vector<AblationPath> all_paths(const Moments& moments) {
  const at::Tensor covariance = moments.covariance();
  std::vector<AblationPath> paths;
  at::Tensor principal;
  for (const char* kind : {"pca", "neurons", "random"}) {
    const Basis basis = make_basis({{"kind", kind}}, {.moments = moments, .seed = 11}).draw(0);
    const at::Tensor explained = explained_variance(basis, covariance);
    if (!principal.defined()) principal = explained.cumsum(0);
    for (const Order order : {Order::descending, Order::ascending, Order::given}) {
      paths.push_back({basis.directions(), ordered_components(explained, order)});
      // T13: monotone, ends at 1, nowhere above the principal components.
      const at::Tensor curve =
          explained.index_select(0, at::tensor(paths.back().order, at::kLong)).cumsum(0);
      EXPECT_GE(explained.min().item<double>(), -1e-14) << kind;
      EXPECT_NEAR(curve[-1].item<double>(), 1, 1e-12) << kind;
      EXPECT_LE((curve - principal).max().item<double>(), 1e-12) << kind;
    }
  }
  return paths;
}

/// What the comparisons of one network came to.
struct Tally {
  int compared = 0;
  double worst = 0;            ///< of all differences, relative to the largest logit
  std::int64_t decided = 0;    ///< predictions whose two best logits differ by 1e-4 of the range
  std::int64_t otherwise = 0;  ///< of those, the ones that are not the same

  void add(const at::Tensor& output, const at::Tensor& expected) {
    ++compared;
    worst = std::max(worst, difference(output, expected));
    if (output.dim() != 2 || output.size(1) < 2) return;
    const at::Tensor top = std::get<0>(expected.to(at::kDouble).topk(2, 1));
    const at::Tensor range = (expected.max() - expected.min()).to(at::kDouble);
    const at::Tensor clear = (top.select(1, 0) - top.select(1, 1)).gt(1e-4 * range);
    const at::Tensor same = output.argmax(1).eq(expected.argmax(1));
    decided += clear.sum().item<std::int64_t>();
    otherwise += same.logical_not().logical_and(clear).sum().item<std::int64_t>();
  }
};

/// Both ends, and of the counts between them one for each path, another for the next path.
void compare_all(const Case& what, const CutTap& tap, Axis axis, const Moments& moments,
                 Tally& tally) {
  const std::int64_t d = moments.dimension();
  const std::vector<AblationPath> paths = all_paths(moments);
  std::vector<std::int64_t> counts{0, d};
  for (const std::int64_t part : {1, 2, 3}) counts.push_back(d * part / 4);
  std::sort(counts.begin(), counts.end());
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  for (const bool to_zero : {false, true}) {
    const at::Tensor target = to_zero ? at::zeros({d}, at::kDouble) : moments.mean();
    std::map<std::pair<std::size_t, std::int64_t>, at::Tensor> found;
    Ablation(axis, target, paths)
        .run(tap.split, tap.cut, counts,
             [&](std::size_t path, std::int64_t count, const at::Tensor& output) {
               found[{path, count}] = output.clone();
             });
    ASSERT_EQ(found.size(), paths.size() * counts.size());
    // Where nothing is cut, the whole network gives the same.
    std::size_t whole = 0;
    Ablation(axis, target, paths)
        .run_whole(
            [&](const Ablation::Replace& replace) {
              const Watch watch = tap.tapped.replace(tap.name, replace);
              return tap.tapped.forward_values(copies(what.inputs)).toTensor();
            },
            counts,
            [&](std::size_t path, std::int64_t count, const at::Tensor& output) {
              ++whole;
              tally.add(output, found.at({path, count}));
            });
    EXPECT_EQ(whole, found.size());
    tally.add(found.at({0, d}), anew(what, tap, axis, target, paths[0], d));
    for (std::size_t path = 0; path < paths.size(); ++path) {
      // T15, to the bit.
      EXPECT_TRUE(bit_equal(found.at({path, 0}), what.untouched));
      // T14: the same for every basis and order.
      EXPECT_TRUE(bit_equal(found.at({path, d}), found.at({0, d})));
      if (counts.size() < 3) continue;
      const std::int64_t count = counts[1 + (path + (to_zero ? 1 : 0)) % (counts.size() - 2)];
      tally.add(found.at({path, count}), anew(what, tap, axis, target, paths[path], count));
    }
  }
}

class Ablations : public ::testing::TestWithParam<std::string> {};

TEST_P(Ablations, AreTheNetworkRunAnew) {
  const at::NoGradGuard no_grad;
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    const Case what = case_of(GetParam(), dtype);
    Tally tally;
    std::map<Axis, int> times;
    for (const CutTap& tap : some_taps(what)) {
      for (const Axis axis : axes_of(tap.cut.value)) {
        SCOPED_TRACE(tap.name + ", " + axis_name(axis) + ", " + dtype_name(dtype));
        Moments moments;
        moments.add(to_rows(tap.cut.value, axis));
        if (moments.covariance().trace().item<double>() <= 0) continue;
        compare_all(what, tap, axis, moments, tally);
        ++times[axis];
      }
    }
    EXPECT_EQ(times.size(), 3u);
    EXPECT_GT(tally.compared, 100);
    EXPECT_LE(tally.worst, dtype == at::kFloat ? 1e-5 : 1e-11) << dtype_name(dtype);
    EXPECT_EQ(tally.otherwise, 0) << "of " << tally.decided << " clear predictions";
    std::cout << fmt::format(
        "{}, {}: {} compared, worst difference {:.1e}, {} of {} clear "
        "predictions differ\n",
        GetParam(), dtype_name(dtype), tally.compared, tally.worst, tally.otherwise, tally.decided);
  }
}

INSTANTIATE_TEST_SUITE_P(, Ablations,
                         ::testing::Values("mlp", "smooth_mlp", "conv_inplace_scripted",
                                           "resnet_blocks_scripted", "attention_scripted",
                                           "cat_blocks"),
                         by_name);

// T14 where nothing else reaches the output: every sample gets the class that c alone gets, so the
// accuracy is the share of that class, in every basis and order.
TEST(Ablation, OfEverythingIsTheConstantPrediction) {
  const at::NoGradGuard no_grad;
  for (const auto& [network, name] : {std::pair{"mlp", "fc1"},
                                      {"mlp", "act2"},
                                      {"conv_inplace_scripted", "features.3"},
                                      {"conv_inplace_scripted", "classifier.1"},
                                      {"resnet_blocks_scripted", "layer1"},
                                      {"resnet_blocks_scripted", "flatten"},
                                      {"attention_scripted", "blocks.0"},
                                      {"attention_scripted", "select"},
                                      {"cat_blocks", "features.1.squeeze"}}) {
    for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
      SCOPED_TRACE(std::string(network) + ", " + name + ", " + dtype_name(dtype));
      const Case what = case_of(network, dtype);
      const std::optional<CutTap> tap = cut_at(what, name);
      ASSERT_TRUE(tap.has_value());
      const at::Tensor& value = tap->cut.value;
      const Axis axis = default_axis(value);
      Moments moments;
      moments.add(to_rows(value, axis));
      const std::int64_t d = moments.dimension();
      const std::int64_t samples = value.size(0);
      const std::int64_t classes = what.untouched.size(1);
      const at::Tensor labels = at::arange(samples, at::kLong).remainder(classes);
      // c at every position, through the untouched program.
      const at::Tensor constant = at::empty_like(value).copy_(
          from_rows(moments.mean().expand_as(to_rows(value, axis)), value, axis));
      const Watch watch =
          tap->tapped.replace(name, [&](const at::Tensor&) { return constant.clone(); });
      const at::Tensor alone = tap->tapped.forward_values(copies(what.inputs)).toTensor();
      const std::int64_t prediction = alone[0].argmax().item<std::int64_t>();
      const std::int64_t right = labels.eq(prediction).sum().item<std::int64_t>();
      const std::vector<AblationPath> paths = all_paths(moments);
      std::size_t seen = 0;
      Ablation(axis, moments.mean(), paths)
          .run(tap->split, tap->cut, {d},
               [&](std::size_t, std::int64_t count, const at::Tensor& output) {
                 ++seen;
                 EXPECT_EQ(count, d);
                 EXPECT_TRUE(bit_equal(output, alone));
                 EXPECT_EQ(output.argmax(1).eq(prediction).sum().item<std::int64_t>(), samples);
                 Score score;
                 score.add(output, labels);
                 EXPECT_EQ(score.top1_hits, right);
               });
      EXPECT_EQ(seen, paths.size());
    }
  }
}

TEST(Ablation, OfAPartialBasisEndsAtItsSize) {
  const at::NoGradGuard no_grad;
  const Case what = case_of("mlp", at::kDouble);
  const CutTap tap = cut_at(what, "fc1").value();
  const SplitModel& split = tap.split;
  const Cut& cut = tap.cut;
  const std::int64_t d = cut.value.size(1);
  const at::Tensor directions = at::eye(d, at::kDouble).slice(1, 0, 3).contiguous();
  const Ablation ablation(Axis::features, at::zeros({d}, at::kDouble), {{directions, {2, 0, 1}}});
  std::vector<std::int64_t> seen;
  ablation.run(
      split, cut, {0, 2, 3, d}, [&](std::size_t, std::int64_t count, const at::Tensor& output) {
        seen.push_back(count);
        const AblationPath path{at::eye(d, at::kDouble), {2, 0, 1}};
        AblationPath whole = path;
        for (std::int64_t i = 3; i < d; ++i) whole.order.push_back(i);
        const at::Tensor target = at::zeros({d}, at::kDouble);
        EXPECT_LE(difference(output, anew(what, tap, Axis::features, target, whole, count)), 1e-14);
      });
  EXPECT_EQ(seen, (std::vector<std::int64_t>{0, 2, 3}));
  EXPECT_THAT(
      [&] {
        Ablation(Axis::features, at::zeros({d + 1}), {{directions, {0}}});
      },
      ThrowsError("do not fit"));
}

}  // namespace
}  // namespace descramble::test
