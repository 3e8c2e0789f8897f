// The seam for anybody's loss of tapped values.

#include "descramble/objective/loss_objective.h"

#include <nlohmann/json.hpp>

#include "descramble/config/kind.h"
#include "descramble/data/kinds.h"
#include "descramble/objective/quartimax.h"
#include "objective/support.h"

namespace descramble::test {
namespace {

TapValues values_of_size(at::IntArrayRef sizes, Axis axis = Axis::features) {
  return {"here", random_stream(31, "test/values").normal_tensor(sizes) + 0.2, axis};
}

at::Tensor l1(const at::Tensor& h) {
  return h.abs().mean();
}

TEST(LossObjective, IsTheLossOfTheRotatedValues) {
  for (const Axis axis : {Axis::features, Axis::channels, Axis::neurons}) {
    const TapValues values = values_of_size({7, 4, 3, 4}, axis);
    const LossObjective objective(values, l1);
    const std::int64_t d = objective.dimension();
    const at::Tensor p = haar(d, 1);
    at::Tensor rotated;
    values.for_each([&](const TapValues::Part& part) {
      rotated = values.shaped(part.rows.matmul(p.t()), part.samples);
    });
    ASSERT_EQ(rotated.sizes(), at::IntArrayRef({7, 4, 3, 4}));
    EXPECT_NEAR(objective.value(p), l1(rotated).item<double>(), 1e-12);
    EXPECT_EQ(objective.evaluate(p).value, objective.value(p)) << "bit for bit";
  }
}

// REFERENCE T4 for a loss through autograd.
TEST(T4, GradientOfALossThroughAutograd) {
  const auto losses = std::vector<TapLoss>{
      l1, [](const at::Tensor& h) { return h.pow(4).mean(); },
      [](const at::Tensor& h) { return h.tanh().square().sum(1).sqrt().mean(); }};
  for (const TapLoss& loss : losses) {
    const LossObjective objective(values_of_size({30, 8}), loss);
    const at::Tensor p = haar(8, 3);
    const at::Tensor gradient = objective.gradient(p);
    const at::Tensor differences = central_differences(objective, p, 1e-6);
    EXPECT_LE(difference(gradient, differences), 1e-6 * largest(gradient));
  }
}

TEST(LossObjective, SmoothnessThroughAutogradIsTheClosedForm) {
  for (const Axis axis : {Axis::features, Axis::channels}) {
    const TapValues values = values_of_size({20, 6, 5, 6}, axis);
    Moments moments;
    values.for_each([&](const TapValues::Part& part) { moments.add(part.rows); });
    const at::Tensor p = haar(6, 5);
    for (const Stencil stencil : all_stencils()) {
      const Smoothness raw(stencil, moments.second_moment());
      const LossObjective loss(values, smoothness_loss(stencil, axis));
      EXPECT_NEAR(loss.value(p), raw.value(p), 1e-12 * raw.value(p));
      EXPECT_LE(difference(loss.gradient(p), raw.gradient(p)), 1e-11 * largest(raw.gradient(p)));
      const Smoothness centred(stencil, moments.covariance());
      const LossObjective centred_loss(values.centred(), smoothness_loss(stencil, axis));
      EXPECT_NEAR(centred_loss.value(p), centred.value(p), 1e-12 * centred.value(p));
    }
  }
}

TEST(LossObjective, SaysWhatIsWrongWithTheLoss) {
  const TapValues values = values_of_size({6, 4});
  const at::Tensor p = at::eye(4, at::kDouble);
  const auto evaluated = [&](const TapLoss& loss) {
    return [&, loss] { (void)LossObjective(values, loss).evaluate(p); };
  };
  EXPECT_THAT(evaluated([](const at::Tensor& h) { return h; }),
              ThrowsError("returns no scalar", "tap 'here'", "6x4"));
  EXPECT_THAT(evaluated([](const at::Tensor&) { return at::Tensor(); }),
              ThrowsError("returns no scalar", "undefined"));
  EXPECT_THAT(evaluated([](const at::Tensor& h) { return h.argmax(); }),
              ThrowsError("returns no scalar", "int64"));
  EXPECT_THAT(evaluated([](const at::Tensor& h) { return h.detach().mean(); }),
              ThrowsError("no gradient", "tap 'here'"));
  EXPECT_THAT(evaluated([](const at::Tensor&) { return at::scalar_tensor(1.0, at::kDouble); }),
              ThrowsError("no gradient"));
  EXPECT_THAT(evaluated([](const at::Tensor&) {
                return at::ones({1}, at::kDouble).set_requires_grad(true).sum();
              }),
              ThrowsError("no gradient", "does not depend"));
  EXPECT_THAT([&] { LossObjective(values, nullptr); }, ThrowsError("no loss"));
  EXPECT_THAT([&] { (void)LossObjective(values, l1).value(at::eye(5, at::kDouble)); },
              ThrowsError("wrong size", "tap 'here'", "4 x 4", "5 x 5"));
}

// Kept or recomputed, in one batch or many: the same objective.
TEST(AtTap, DoesNotDependOnHowTheValuesComeIn) {
  const Model model = load_model(DESCRAMBLE_SOURCE_DIR "/models/glyph_mlp.pt");
  const TappedModel tapped = tap_model(model, {"fc1", "act1"});
  Source data =
      open_source(resolve_kind(source_family(),
                               {{"kind", "glyphs"}, {"count", 500}, {"batch_size", 128}}, "/data"),
                  {.seed = 3});
  const LossObjective kept = at_tap(tapped, "fc1", data, l1);
  const LossObjective together = at_tap(tapped, "fc1", data, l1, {.together = true});
  EXPECT_TRUE(kept.values().kept());
  Source large = data;
  large.batch_size = 500;
  const LossObjective rerun = at_tap(tapped, "fc1", large, l1, {.memory_mb = 0});
  EXPECT_FALSE(rerun.values().kept());
  EXPECT_EQ(kept.values().samples(), 500);
  const at::Tensor p = haar(kept.dimension(), 8);
  const double value = kept.value(p);
  EXPECT_NEAR(together.value(p), value, 1e-12 * value);
  EXPECT_NEAR(rerun.value(p), value, 1e-6 * value) << "float32 forward passes in other batches";
  EXPECT_EQ(kept.evaluate(p).value, kept.value(p)) << "over four batches, bit for bit";
  EXPECT_EQ(rerun.evaluate(p).value, rerun.value(p));
  EXPECT_LE(difference(kept.gradient(p), together.gradient(p)), 1e-12);

  EXPECT_THAT([&] { at_tap(tapped, "fc9", data, l1); }, ThrowsError("unknown tap 'fc9'"));
  EXPECT_THAT([&] { at_tap(tapped, "fc1", data, l1, {.memory_mb = 0, .together = true}); },
              ThrowsError("do not fit into memory together"));
}

TEST(LossObjective, LeavesOtherGradientsAlone) {
  const at::Tensor weight = at::ones({4}, at::kDouble).set_requires_grad(true);
  const LossObjective objective(values_of_size({6, 4}),
                                [&](const at::Tensor& h) { return (h * weight).square().mean(); });
  EXPECT_GT(largest(objective.gradient(haar(4, 2))), 0);
  EXPECT_FALSE(weight.grad().defined());
}

TEST(TapValues, StayWhatTheyWere) {
  at::Tensor mine = at::ones({3, 2}, at::kDouble);
  const TapValues values("here", mine, Axis::features);
  mine.zero_();
  values.for_each(
      [](const TapValues::Part& part) { EXPECT_EQ(part.rows.sum().item<double>(), 6); });
}

TEST(Quartimax, IsTheFourthPowerOfTheRows) {
  const TapValues rows = values_of_size({40, 6});
  const Quartimax objective(rows);
  const LossObjective loss(rows, [](const at::Tensor& h) { return -h.pow(4).sum(1).mean(); });
  const at::Tensor p = haar(6, 9);
  EXPECT_NEAR(objective.value(p), loss.value(p), 1e-12 * std::abs(loss.value(p)));
  EXPECT_LE(difference(objective.gradient(p), loss.gradient(p)), 1e-12 * largest(loss.gradient(p)));
}

}  // namespace
}  // namespace descramble::test
