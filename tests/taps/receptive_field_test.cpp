// What a position of a tap sees of the input: known networks, and the support of the gradient.

#include "descramble/taps/receptive_field.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/nonzero.h>
#include <torch/csrc/jit/api/module.h>

#include "descramble/model/kinds.h"
#include "descramble/taps/tapped_model.h"
#include "model/fixtures.h"

namespace descramble::test {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

Model built(const json& input, const json& layers) {
  return open_model(
             resolve_kind(model_family(),
                          {{"kind", "sequential"}, {"input", input}, {"layers", layers}}, "/model"),
             {.seed = 3})
      .model;
}

json conv(const char* name, int kernel, int stride, int padding) {
  return {{"kind", "conv2d"}, {"name", name},     {"out", 2},
          {"kernel", kernel}, {"stride", stride}, {"padding", padding}};
}

json pool() {
  return {{"kind", "max_pool"}, {"kernel", 3}, {"stride", 2}};
}

// Dey et al.: receptive field / stride of AlexNet's convolutions, 11/4, 51/8, 99/16, 131/16,
// 163/16.
TEST(ReceptiveField, OfAlexNetsConvolutions) {
  const Model model = built({1, 224, 224}, {conv("conv1", 11, 4, 2),
                                            {{"kind", "relu"}},
                                            pool(),
                                            conv("conv2", 5, 1, 2),
                                            {{"kind", "relu"}},
                                            pool(),
                                            conv("conv3", 3, 1, 1),
                                            {{"kind", "relu"}},
                                            conv("conv4", 3, 1, 1),
                                            {{"kind", "relu"}},
                                            conv("conv5", 3, 1, 1)});
  RandomStream random = random_stream(1, "x");
  const std::vector<ReceptiveField> fields =
      receptive_fields(model, {random.normal_tensor({1, 1, 224, 224}).to(at::kFloat)},
                       {"conv1", "conv2", "conv3", "conv4", "conv5"}, {.batch = 32});
  const std::vector<std::pair<std::int64_t, std::int64_t>> expected = {
      {11, 4}, {51, 8}, {99, 16}, {131, 16}, {163, 16}};
  for (std::size_t i = 0; i < fields.size(); ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(fields[i].obstacle, "");
    EXPECT_THAT(fields[i].extent(), ElementsAre(expected[i].first, expected[i].first));
    const std::int64_t side = fields[i].positions.at(0);
    const std::int64_t middle = side / 2;
    const IndexRange here = fields[i].intervals[0][static_cast<std::size_t>(middle)];
    const IndexRange next = fields[i].intervals[0][static_cast<std::size_t>(middle + 1)];
    EXPECT_EQ(next.end - here.end, expected[i].second);
    // Clipped at the border: the first position of conv1 begins two rows outside.
    EXPECT_EQ(fields[i].box(0)[0].begin, 0);
    EXPECT_LT(fields[i].box(0)[0].length(), expected[i].first);
    EXPECT_EQ(fields[i].box(side * side - 1)[1], fields[i].intervals[1].back());
  }
}

/// The smallest box around the places of the input that move a position, over several inputs.
std::vector<IndexRange> gradient_box(const Model& model, const std::string& tap,
                                     const std::vector<at::Tensor>& inputs, std::int64_t position) {
  const TappedModel tapped = tap_model(model, {tap});
  std::vector<IndexRange> box(static_cast<std::size_t>(inputs[0].dim()) - 2);
  for (const at::Tensor& input : inputs) {
    const at::Tensor leaf = input.detach().clone().requires_grad_(true);
    const at::Tensor value = tapped.forward_until(tap, {leaf});
    const at::Tensor at_position = value.flatten(2).select(2, position);
    RandomStream random = random_stream(2, "weights of channels");
    (at_position * random.normal_tensor(at_position.sizes()).to(value.dtype())).sum().backward();
    const at::Tensor moved = leaf.grad().abs().sum(0).sum(0).nonzero();
    for (std::size_t k = 0; k < box.size() && moved.size(0) > 0; ++k) {
      const at::Tensor places = moved.select(1, static_cast<std::int64_t>(k));
      const auto first = places.min().item<std::int64_t>();
      const auto last = places.max().item<std::int64_t>() + 1;
      const bool empty = box[k].length() == 0;
      box[k] = {empty ? first : std::min(box[k].begin, first),
                empty ? last : std::max(box[k].end, last)};
    }
  }
  return box;
}

class FieldsOfFixtures : public ::testing::TestWithParam<std::string> {};

// Skip connections, concatenation, dilation, groups, one dimension: every position of every tap.
TEST_P(FieldsOfFixtures, AreTheSupportOfTheGradient) {
  const Fixture& tested = fixture(GetParam());
  const Model model = tested.load();
  const Model wide = model.to_dtype(at::kDouble);
  std::vector<at::Tensor> inputs;
  for (std::uint64_t variant = 0; variant < 24; ++variant)
    inputs.push_back(tested.inputs(variant)[0].toTensor().narrow(0, 0, 1).to(at::kDouble));
  std::vector<std::string> taps;
  for (const TapReading& reading : read_taps(wide, {inputs[0]})) {
    if (reading.fired == 1 && std::ssize(reading.sizes) == inputs[0].dim() &&
        reading.point.kind == "module") {
      taps.push_back(reading.point.name);
    }
  }
  ASSERT_FALSE(taps.empty());
  const std::vector<ReceptiveField> fields = receptive_fields(model, {inputs[0]}, taps);
  std::int64_t smaller = 0;
  for (std::size_t i = 0; i < taps.size(); ++i) {
    SCOPED_TRACE(taps[i]);
    ASSERT_EQ(fields[i].obstacle, "");
    std::int64_t count = 1;
    for (const std::int64_t one : fields[i].positions) count *= one;
    for (std::int64_t position = 0; position < count; ++position)
      EXPECT_EQ(fields[i].box(position), gradient_box(wide, taps[i], inputs, position)) << position;
    smaller += fields[i].extent() != fields[i].input ? 1 : 0;
  }
  EXPECT_GT(smaller, 0) << "some tap sees a part of the input";
}

INSTANTIATE_TEST_SUITE_P(Fixtures, FieldsOfFixtures,
                         ::testing::Values("cat_blocks", "conv_variants", "resnet_blocks_scripted",
                                           "conv1d"),
                         [](const auto& name) { return name.param; });

// An operation that stops NaN is found, and the whole input is given.
TEST(ReceptiveField, IsNotGuessed) {
  torch::jit::Module module("swallowing");
  module.register_attribute("training", c10::BoolType::get(), false);
  module.define(
      "def forward(self, x):\n"
      "  rough = torch.where(x > 0, torch.ones_like(x), torch.zeros_like(x))\n"
      "  return torch.avg_pool2d(rough, [3, 3], [1, 1], [1, 1])\n");
  const TemporaryFolder folder;
  module.save((folder / "swallowing.pt").string());
  RandomStream random = random_stream(1, "x");
  const at::Tensor input = random.normal_tensor({1, 1, 6, 6}).to(at::kFloat);
  const std::vector<ReceptiveField> fields =
      receptive_fields(load_model(folder / "swallowing.pt"), {input}, {"output"});
  EXPECT_THAT(fields[0].obstacle, ::testing::HasSubstr("stops NaN"));
  EXPECT_THAT(fields[0].extent(), ElementsAre(6, 6));
  EXPECT_THAT(fields[0].box(7), ElementsAre(IndexRange{0, 6}, IndexRange{0, 6}));
}

// What mixes all positions sees everything; a value without positions does, too.
TEST(ReceptiveField, OfWhatSeesEverything) {
  const Model model = built({1, 8, 8}, {conv("conv", 3, 1, 1),
                                        {{"kind", "flatten"}},
                                        {{"kind", "linear"}, {"name", "fc"}, {"out", 3}}});
  const at::Tensor input = random_stream(1, "x").normal_tensor({1, 1, 8, 8}).to(at::kFloat);
  const std::vector<ReceptiveField> fields = receptive_fields(model, {input}, {"conv", "fc"});
  EXPECT_THAT(fields[0].extent(), ElementsAre(3, 3));
  EXPECT_TRUE(fields[1].positions.empty());
  EXPECT_THAT(fields[1].box(0), ElementsAre(IndexRange{0, 8}, IndexRange{0, 8}));
}

}  // namespace
}  // namespace descramble::test
