// What a program calls: analyses of networks with data in memory, without a config.

#include <string>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include "descramble/analysis/capture.h"
#include "descramble/analysis/compare_solvers.h"
#include "descramble/analysis/completeness.h"
#include "descramble/analysis/descramble_chain.h"
#include "descramble/analysis/evaluate.h"
#include "descramble/analysis/export_checked.h"
#include "descramble/analysis/measure_jacobian.h"
#include "descramble/analysis/patch.h"
#include "descramble/basis/orthogonal.h"
#include "descramble/core/error.h"
#include "descramble/core/random.h"
#include "descramble/data/tensor_set.h"
#include "model/fixtures.h"

namespace descramble::test {
namespace {

using testing::HasSubstr;

Model digits() {
  return load_model(DESCRAMBLE_SOURCE_DIR "/models/glyph_mlp.pt");
}

/// Random pictures with the classes that the network itself gives them.
Source pictures(const Model& model, std::int64_t count, std::int64_t batch_size = 64) {
  RandomStream random = random_stream(3, "pictures");
  const at::Tensor images = random.normal_tensor({count, 1, 28, 28}).abs().to(at::kFloat);
  return tensor_set(images, at::argmax(model.forward({images}), 1), batch_size);
}

Subject subject_of(std::int64_t count = 200) {
  const Model model = digits();
  return open_subject(model, pictures(model, count));
}

std::string refusal(const std::function<void()>& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "taken";
}

TEST(TensorSet, HoldsWhatItWasGiven) {
  const at::Tensor images = random_stream(1, "set").normal_tensor({7, 3});
  const at::Tensor labels = at::zeros({7}, at::kInt);
  const Source source = tensor_set(images, labels, 3);
  EXPECT_EQ(source.data->size(), 7);
  EXPECT_EQ(source.batch_size, 3);
  const Batch batch = source.data->gather({6, 0});
  EXPECT_TRUE(at::equal(batch.inputs.at(0)[0], images[6]));
  EXPECT_EQ(batch.labels.scalar_type(), at::kLong);
  EXPECT_FALSE(tensor_set(images).data->has_labels());
  const Source two = tensor_set({images, images}, labels, 4, {"tokens", "mask"});
  EXPECT_THAT(two.data->input_names(), testing::ElementsAre("tokens", "mask"));
}

TEST(TensorSet, RefusesWhatIsNoData) {
  const at::Tensor images = at::zeros({7, 3});
  EXPECT_THAT(refusal([&] { tensor_set(at::zeros({0, 3})); }), HasSubstr("no samples"));
  EXPECT_THAT(refusal([&] { tensor_set(at::Tensor()); }), HasSubstr("no tensor"));
  EXPECT_THAT(refusal([&] { tensor_set(images, at::zeros({6}, at::kLong)); }),
              HasSubstr("number of samples"));
  EXPECT_THAT(refusal([&] {
                tensor_set(images, at::zeros({7, 2}, at::kLong));
              }),
              HasSubstr("not labels"));
  EXPECT_THAT(refusal([&] { tensor_set(images, {}, 0); }), HasSubstr("batch size"));
  EXPECT_THAT(refusal([&] { tensor_set({images}, {}, 4, {"a", "b"}); }), HasSubstr("names"));
}

TEST(Analysis, CompletenessOfARotationIsThatOfItsDirections) {
  const Subject subject = subject_of();
  EXPECT_EQ(evaluate(subject).top1(), 1.0);
  RandomStream random = random_stream(5, "rotation");
  const at::Tensor p = haar_rotation(64, random);
  const Completeness found =
      measure_completeness(subject, {.taps = {"fc1"},
                                     .bases = {neurons(), rotation(at::eye(64, at::kDouble)), pca(),
                                               rotation(p, "mine"), directions(p.t(), "the same")},
                                     .grid = {Grid::Kind::linear, 9}});
  ASSERT_EQ(found.taps.size(), 1U);
  const TapCompleteness& tap = found.taps[0];
  EXPECT_EQ(tap.space.name, "fc1");
  EXPECT_EQ(tap.space.dimension, 64);
  ASSERT_EQ(tap.curves.size(), 10U);
  const auto same = [&](std::size_t one, std::size_t other) {
    for (const auto& [ablated, score] : tap.curves[one].scores) {
      EXPECT_EQ(score.top1_hits, tap.curves[other].scores.at(ablated).top1_hits);
      EXPECT_NEAR(score.loss(), tap.curves[other].scores.at(ablated).loss(), 1e-12);
    }
  };
  for (const std::size_t order : {0U, 1U}) {
    same(0 + order, 2 + order);  // neurons, identity
    same(6 + order, 8 + order);  // P, its rows as columns
  }
  for (const Curve& curve : tap.curves) EXPECT_EQ(curve.scores.at(0).top1(), 1.0);
  EXPECT_EQ(tap.bases[3].label, "mine");
}

// The rows are those that the moments are of, batch by batch, also where each sample gives but one
// of its positions.
TEST(Analysis, ABasisMaySeeTheValues) {
  const at::Tensor images = random_stream(3, "values").normal_tensor({7, 3, 8, 8}).to(at::kFloat);
  const Subject subject =
      open_subject(fixture("conv_inplace_traced").load(), tensor_set(images, {}, 3));
  for (const bool one_position : {false, true}) {
    Moments seen;
    std::int64_t counted = 0;
    const BasisChoice choice = [&](const BasisInput& input) {
      input.for_each_rows([&](const at::Tensor& rows) {
        EXPECT_EQ(rows.scalar_type(), at::kDouble);
        seen.add(rows);
      });
      counted = input.moments.count();
      EXPECT_TRUE(at::equal(seen.mean(), input.moments.mean()));
      EXPECT_TRUE(at::equal(seen.covariance(), input.moments.covariance()));
      return neurons()(input);
    };
    measure_completeness(subject,
                         {.taps = {"features.0"}, .bases = {choice}, .one_position = one_position});
    EXPECT_EQ(seen.count(), counted);
    EXPECT_GT(counted, 0);
  }
}

TEST(Analysis, LayersAreDescrambledAndExported) {
  const Subject subject = subject_of();
  const TemporaryFolder folder;
  const std::vector<LayerDescrambling> found =
      descramble_layers(subject, {.taps = {"fc1", "fc2"}, .position = Position::both});
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0].rotated.space.name, "fc1.input");
  std::vector<RotationEdit> edits;
  double floor = 0;
  for (const LayerDescrambling& layer : found) {
    EXPECT_NEAR(layer.value.after, *layer.optimum, 1e-9 * layer.value.before);
    EXPECT_LT(layer.value.after, layer.value.before);
    EXPECT_LT(layer.certificate.orthogonality, 1e-10);
    EXPECT_LE(layer.certificate.inserted, allowed_by(subject, layer.certificate.floor));
    edits.push_back(edit_of(layer.rotated));
    floor = std::max(floor, layer.certificate.floor);
  }
  const CheckedExport exported = export_checked(subject, edits, folder / "out.pt", floor);
  EXPECT_LE(exported.difference, exported.allowed);
  const std::vector<at::Tensor> inputs = subject.test.data->slice(0, 5).inputs;
  const at::Tensor before = subject.model.forward(inputs);
  EXPECT_LT((load_model(folder / "out.pt").forward(inputs) - before).abs().max().item<double>(),
            1e-4 * before.abs().max().item<double>());
}

TEST(Analysis, ChainsAreDescrambledTogether) {
  const ChainDescrambling found =
      descramble_chain(subject_of(), {.taps = {"act1", "act2", "output"},
                                      .learn = {"act1"},
                                      .samples = 40,
                                      .solver = solver({.max_iterations = 30, .starts = 2})});
  ASSERT_EQ(found.learned.size(), 1U);
  EXPECT_EQ(found.layers.size(), 2U);
  EXPECT_EQ(found.samples + found.held_out_samples, 40);
  EXPECT_LT(found.value.after, found.value.before);
  EXPECT_GE(found.value.after, found.bound);
  ASSERT_TRUE(found.held_out.has_value());
}

TEST(Analysis, JacobiansCapturesAndPatchesAgree) {
  const Subject subject = subject_of(30);
  const MeasuredJacobian measured =
      measure_jacobian(subject, {.from = "act2", .to = "output", .keep = true});
  EXPECT_EQ(measured.stack.size(0), 30);
  EXPECT_NEAR(measured.stack.abs().to(at::kDouble).sum().item<double>() / 30, measured.l1,
              1e-6 * measured.l1);
  // What was captured, put back, changes nothing; another sample's, where it differs, does.
  const Captured captured = capture(subject, {.taps = {"act2"}, .data = Split::test});
  ASSERT_EQ(captured.taps.size(), 1U);
  const at::Tensor values = captured.taps[0].values;
  const Patched same = patch(subject, {.tap = "act2", .donor = {"captured", values}});
  EXPECT_TRUE(at::equal(same.logits_before, same.logits_after));
  EXPECT_EQ(same.agreement(), 1.0);
  const Patched moved =
      patch(subject, {.tap = "act2", .donor = {"moved", values.roll({1}, {0}), captured.labels}});
  EXPECT_FALSE(at::equal(moved.logits_before, moved.logits_after));
  EXPECT_TRUE(moved.by_donor.has_value());
}

TEST(Analysis, SolversAreCompared) {
  const SolverComparison found = compare_solvers(
      subject_of(), {.tap = "fc2",
                     .solvers = {solver({.kind = "exact"}),
                                 solver({.max_iterations = 40, .kind = "riemannian_lbfgs"})}});
  ASSERT_EQ(found.solutions.size(), 2U);
  EXPECT_NEAR(found.solutions[0].value, *found.optimum, 1e-9 * found.before);
  EXPECT_GE(found.solutions[1].value, *found.optimum * (1 - 1e-9));
}

TEST(Analysis, WrongUseIsOneLine) {
  const Subject subject = subject_of(20);
  const auto complete = [&](CompletenessOptions options) {
    return refusal([&] { measure_completeness(subject, options); });
  };
  EXPECT_THAT(complete({.taps = {"fc9"}}), HasSubstr("'fc1'"));
  EXPECT_THAT(complete({.taps = {"fc1"}, .bases = {}}), HasSubstr("no bases"));
  EXPECT_THAT(complete({.taps = {"fc1"}, .orders = {}}), HasSubstr("no orders"));
  EXPECT_THAT(complete({.taps = {"fc1"}, .bases = {rotation(at::eye(5))}}), HasSubstr("5"));
  EXPECT_THAT(complete({.taps = {"fc1"}, .reference = Reference::labels}), HasSubstr("reference"));
  EXPECT_THAT(complete({.taps = {"fc1"}, .rows = {.mask_name = "mask"}}), HasSubstr("'mask'"));
  EXPECT_THAT(refusal([&] { descramble_chain(subject, {.taps = {"act1"}}); }),
              HasSubstr("two or more"));
  EXPECT_THAT(refusal([&] {
                descramble_chain(subject, {.taps = {"act2", "act1"}});
              }),
              HasSubstr("act2"));
  EXPECT_THAT(refusal([&] { patch(subject, {.tap = "act1"}); }), HasSubstr("no rows"));
  const std::vector<std::int64_t> negative{-1};
  EXPECT_THAT(
      refusal([&] {
        patch(subject, {.tap = "act1", .donor = {"mine", at::zeros({4, 64})}, .units = negative});
      }),
      HasSubstr("no such unit"));
  EXPECT_THAT(refusal([&] {
                open_subject(digits(), tensor_set(at::zeros({4, 3})));
              }),
              HasSubstr("expected"));
  EXPECT_THAT(refusal([&] { open_subject(digits(), Source{}); }), HasSubstr("empty"));
}

}  // namespace
}  // namespace descramble::test
