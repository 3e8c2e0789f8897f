#include <cstdio>

#include <ATen/core/Tensor.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>

#include "data/glyph.h"
#include "data/support.h"
#include "descramble/data/write_idx.h"

namespace descramble::test {
namespace {

using nlohmann::json;

Source glyphs(const json& fields, std::uint64_t seed = 1, const std::string& split = "train") {
  json value = {{"kind", "glyphs"}};
  value.update(fields);
  return open(value, {.seed = seed, .split = split});
}

at::Tensor pictures(const json& fields, std::uint64_t seed = 1,
                    const std::string& split = "train") {
  const Source source = glyphs(fields, seed, split);
  return source.data->slice(0, source.data->size()).inputs.at(0);
}

TEST(Glyphs, AreGreyPicturesOfEveryDigit) {
  const Source source = glyphs({{"count", 1000}});
  const Batch batch = source.data->slice(0, 1000);
  EXPECT_EQ(batch.inputs.at(0).sizes(), at::IntArrayRef({1000, 1, 28, 28}));
  EXPECT_EQ(batch.inputs[0].dtype(), at::kFloat);
  EXPECT_GE(batch.inputs[0].min().item<double>(), 0);
  EXPECT_LE(batch.inputs[0].max().item<double>(), 1);
  EXPECT_EQ(source.data->class_names().size(), 10U);
  for (std::int64_t digit = 0; digit < 10; ++digit) {
    EXPECT_EQ(batch.labels.eq(digit).sum().item<std::int64_t>(), 100) << digit;
    EXPECT_EQ(batch.labels.slice(0, 0, 30).eq(digit).sum().item<std::int64_t>(), 3) << digit;
  }
}

TEST(Glyphs, HaveSeveralFormsOfEveryDigit) {
  for (int digit = 0; digit < 10; ++digit) EXPECT_GE(glyph_forms(digit).size(), 2U) << digit;
}

TEST(Glyphs, SampleDoesNotDependOnTheCount) {
  EXPECT_TRUE(bit_equal(pictures({{"count", 30}}), pictures({{"count", 200}}).slice(0, 0, 30)));
  EXPECT_TRUE(bit_equal(pictures({{"count", 7}}), pictures({{"count", 200}, {"limit", 7}})));
}

TEST(Glyphs, SeedAndSplitMakeOtherOnes) {
  const at::Tensor some = pictures({{"count", 50}});
  EXPECT_TRUE(bit_equal(some, pictures({{"count", 50}})));
  for (const at::Tensor& other :
       {pictures({{"count", 50}}, 2), pictures({{"count", 50}}, 1, "test")}) {
    for (std::int64_t i = 0; i < 50; ++i) {
      for (std::int64_t j = 0; j < 50; ++j) ASSERT_GT(max_difference(some[i], other[j]), 0.05);
    }
  }
}

TEST(Glyphs, WithoutNoiseOrDistortionAreTheirForms) {
  // Nothing but form, intensity and specks is left to chance.
  const at::Tensor plain = pictures({{"count", 100}, {"noise", 0}, {"distortion", 0}});
  const at::Tensor lit = plain.gt(0.3).to(at::kFloat).mean({1, 2, 3});
  EXPECT_GT(lit.min().item<double>(), 0.05);
  EXPECT_LT(lit.max().item<double>(), 0.35);
  const double unlit = plain.eq(0).to(at::kFloat).mean().item<double>();
  EXPECT_GT(unlit, 0.5);
  EXPECT_GT(max_difference(plain, pictures({{"count", 100}, {"noise", 0}})), 0.5);
}

TEST(Glyphs, NoiseHasTheWidthAskedFor) {
  const at::Tensor clean = pictures({{"count", 100}, {"noise", 0}});
  const at::Tensor noisy = pictures({{"count", 100}, {"noise", 0.05}});
  // Where nothing is cut off at 0 or 1.
  const at::Tensor inside = clean.gt(0.3).logical_and(clean.lt(0.7));
  const at::Tensor difference = noisy.sub(clean).masked_select(inside);
  EXPECT_GT(difference.numel(), 1000);
  EXPECT_NEAR(difference.mean().item<double>(), 0, 0.003);
  EXPECT_NEAR(difference.std().item<double>(), 0.05, 0.003);
}

TEST(Glyphs, RefuseImpossibleValues) {
  EXPECT_THAT([] { glyphs({{"count", 0}}); }, ThrowsError("/data/count", ">= 1", "found 0"));
  EXPECT_THAT([] { glyphs({{"noise", -0.1}}); }, ThrowsError("/data/noise", ">= 0", "-0.1"));
  EXPECT_THAT(
      [] {
        glyphs({{"distortion", 100}});
      },
      ThrowsError("/data/distortion", "<= 5", "100"));
}

TEST(Glyphs, WildOnesAreStillPictures) {
  const at::Tensor wild = pictures({{"count", 200}, {"noise", 1}, {"distortion", 5}});
  EXPECT_TRUE(wild.ge(0).logical_and(wild.le(1)).all().item<bool>());
}

// A linear classifier must neither find them trivial nor hopeless: 85–97 % of held-out glyphs.
TEST(Glyphs, SoftmaxRegressionLearnsMostOfThem) {
  const Batch train = glyphs({{"count", 6000}}).data->slice(0, 6000);
  const Batch test = glyphs({{"count", 2000}}, 1, "test").data->slice(0, 2000);
  const at::Tensor mean = train.inputs[0].reshape({6000, 784}).mean(0);
  const at::Tensor x = train.inputs[0].reshape({6000, 784}).sub(mean);
  const at::Tensor target =
      at::zeros({6000, 10}, at::kFloat).scatter_(1, train.labels.unsqueeze(1), 1.0);
  at::Tensor weight = at::zeros({784, 10}, at::kFloat);
  at::Tensor bias = at::zeros({10}, at::kFloat);
  at::Tensor speed = at::zeros({784, 10}, at::kFloat);
  for (int step = 0; step < 200; ++step) {  // full batches, heavy-ball momentum
    const at::Tensor residual = at::softmax(at::addmm(bias, x, weight), 1).sub(target).div(6000);
    speed = speed.mul(0.9).sub(x.t().matmul(residual), 0.2);
    weight = weight.add(speed);
    bias = bias.sub(residual.sum(0), 1.0);
  }
  const at::Tensor logits = at::addmm(bias, test.inputs[0].reshape({2000, 784}).sub(mean), weight);
  const double accuracy = logits.argmax(1).eq(test.labels).to(at::kDouble).mean().item<double>();
  std::printf("[ FIGURE   ] softmax regression on 2000 held-out glyphs: %.2f %%\n", 100 * accuracy);
  EXPECT_GE(accuracy, 0.85);
  EXPECT_LE(accuracy, 0.97);
}

TEST(WriteIdx, RoundTrip) {
  const TemporaryFolder folder;
  const Source source = glyphs({{"count", 1500}});
  write_idx(*source.data, folder / "x", folder / "y");
  const Source back = open(
      {{"kind", "idx"}, {"images", (folder / "x").string()}, {"labels", (folder / "y").string()}});
  const Batch given = source.data->slice(0, 1500);
  const Batch got = back.data->slice(0, 1500);
  EXPECT_TRUE(bit_equal(got.inputs[0], given.inputs[0].mul(255).round().div(255)));
  EXPECT_TRUE(bit_equal(got.labels, given.labels));
  EXPECT_EQ(std::filesystem::file_size(folder / "x"), 16U + 1500 * 784);
  EXPECT_EQ(std::filesystem::file_size(folder / "y"), 8U + 1500);
}

TEST(WriteIdx, RefusesOtherData) {
  const TemporaryFolder folder;
  const auto write_it = [&](const Source& source) {
    write_idx(*source.data, folder / "x", folder / "y");
  };
  EXPECT_THAT([&] { write_it(glyphs({{"shape", {784}}})); }, ThrowsError("N x 1 x H x W", "x 784"));
  EXPECT_THAT([&] { write_it(glyphs({{"scale", 2}})); }, ThrowsError("values in [0, 1]", "to 2"));
  write(folder / "bare", idx({1, 1, 1}, "a"));
  EXPECT_THAT(
      [&] {
        write_it(open({{"kind", "idx"}, {"images", (folder / "bare").string()}}));
      },
      ThrowsError("data with labels"));
  EXPECT_FALSE(std::filesystem::exists(folder / "x"));
}

TEST(WriteIdx, FailsWhereItCannotWrite) {
  const TemporaryFolder folder;
  EXPECT_THROW(write_idx(*glyphs({{"count", 10}}).data, folder / "no/x", folder / "no/y"), Failure);
}

}  // namespace
}  // namespace descramble::test
