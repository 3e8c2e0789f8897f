// Models built from JSON.

#include "descramble/model/sequential.h"

#include <cmath>

#include "descramble/model/kinds.h"
#include "model/fixtures.h"

namespace descramble::test {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;

json resolved(const json& input, const json& layers) {
  return resolve_kind(model_family(),
                      {{"kind", "sequential"}, {"input", input}, {"layers", layers}}, "/model");
}

Model build(const json& input, const json& layers, std::uint64_t seed = 0) {
  return open_model(resolved(input, layers), {.seed = seed}).model;
}

std::vector<std::string> parameter_names(const Model& model) {
  std::vector<std::string> names;
  for (const auto& [name, value] : model.parameters()) names.push_back(name);
  return names;
}

const json mlp_layers = {{{"kind", "flatten"}},
                         {{"kind", "linear"}, {"name", "fc1"}, {"out", 5}},
                         {{"kind", "relu"}},
                         {{"kind", "linear"}, {"name", "fc2"}, {"out", 3}, {"bias", false}}};

TEST(Sequential, NamesShapesAndParameters) {
  const Model model = build({1, 2, 3}, mlp_layers);
  EXPECT_EQ(model.name(), "sequential");
  EXPECT_THAT(parameter_names(model), ElementsAre("fc1.weight", "fc1.bias", "fc2.weight"));
  EXPECT_EQ(
      model.forward({random_stream(0, "x").normal_tensor({4, 1, 2, 3}).to(at::kFloat)}).sizes(),
      (std::vector<std::int64_t>{4, 3}));
  for (const auto& [name, value] : model.parameters()) {
    EXPECT_TRUE(value.requires_grad()) << name;
    EXPECT_TRUE(value.is_leaf()) << name;
  }
  const at::Tensor weight = model.parameters()[0].second.detach();
  EXPECT_LE(weight.abs().max().item<double>(), 1 / std::sqrt(6.0));
  EXPECT_EQ(weight.sizes(), (std::vector<std::int64_t>{5, 6}));
}

TEST(Sequential, TheSeedDecidesAndALayersNameItsStream) {
  const Model one = build({6}, {{{"kind", "linear"}, {"name", "a"}, {"out", 4}}}, 1);
  const Model same = build({6}, {{{"kind", "linear"}, {"name", "a"}, {"out", 4}}}, 1);
  const Model other = build({6}, {{{"kind", "linear"}, {"name", "a"}, {"out", 4}}}, 2);
  EXPECT_TRUE(bit_equal(one.parameters()[0].second, same.parameters()[0].second));
  EXPECT_FALSE(bit_equal(one.parameters()[0].second, other.parameters()[0].second));
}

/// Every layer kind with its required fields, for a sample of 4x6x6.
json smallest(const KindInfo& info) {
  json layer = {{"kind", info.name}, {"name", "tested"}};
  for (const Field& field : info.fields) {
    if (!field.fallback) layer[field.name] = 2;
  }
  return layer;
}

class LayerKinds : public ::testing::TestWithParam<std::string> {};
TEST_P(LayerKinds, RunTrainSaveAndLoad) {
  const TemporaryFolder folder;
  const Model model = build({4, 6, 6}, {smallest(*layer_family().find(GetParam())),
                                        {{"kind", "flatten"}},
                                        {{"kind", "linear"}, {"out", 2}}});
  const at::Tensor input = random_stream(0, "x").normal_tensor({3, 4, 6, 6}).to(at::kFloat);
  const at::Tensor output = model.forward({input});
  EXPECT_EQ(output.size(0), 3);
  model.save(folder / "model.pt");
  const Model loaded = load_model(folder / "model.pt");
  EXPECT_TRUE(bit_equal(loaded.forward({input}), output));
  EXPECT_EQ(parameter_names(loaded), parameter_names(model));
  model.set_training(true);
  model.forward({input}).sum().backward();
  for (const auto& [name, value] : model.parameters()) EXPECT_TRUE(value.grad().defined()) << name;
}
INSTANTIATE_TEST_SUITE_P(All, LayerKinds, ::testing::ValuesIn(layer_family().names()), by_name);

TEST(Sequential, BatchNormLearnsItsStatisticsInTraining) {
  const Model model = build({4, 6, 6}, {{{"kind", "batch_norm"}}});
  const at::Tensor input = random_stream(0, "x").normal_tensor({3, 4, 6, 6}).to(at::kFloat) + 1;
  const at::Tensor before = model.forward({input});
  model.set_training(true);
  model.forward({input});
  model.set_training(false);
  EXPECT_FALSE(bit_equal(model.forward({input}), before));
}

TEST(Sequential, Convolutions) {
  const Model model = build({2, 9, 9}, {{{"kind", "conv2d"},
                                         {"name", "c"},
                                         {"out", 4},
                                         {"kernel", 3},
                                         {"stride", 2},
                                         {"padding", 1},
                                         {"groups", 2}},
                                        {{"kind", "max_pool"}, {"kernel", 2}},
                                        {{"kind", "avg_pool"}, {"kernel", 2}, {"stride", 1}}});
  EXPECT_EQ(model.parameters()[0].second.sizes(), (std::vector<std::int64_t>{4, 1, 3, 3}));
  EXPECT_EQ(
      model.forward({random_stream(0, "x").normal_tensor({3, 2, 9, 9}).to(at::kFloat)}).sizes(),
      (std::vector<std::int64_t>{3, 4, 1, 1}));
}

TEST(SequentialErrors, NameTheLayer) {
  EXPECT_THAT(
      [] {
        build({6}, {{{"kind", "linear"}, {"name", "a.b"}, {"out", 4}}});
      },
      ThrowsError("/model/layers/0/name", "'a.b'"));
  EXPECT_THAT(
      [] {
        build({6}, {{{"kind", "linear"}, {"name", ""}, {"out", 4}}});
      },
      ThrowsError("/model/layers/0/name"));
  EXPECT_THAT(
      [] {
        build({6}, {{{"kind", "relu"}, {"name", "forward"}}});
      },
      ThrowsError("/model/layers/0/name", "'forward'"));
  EXPECT_THAT(
      [] {
        build({6}, {{{"kind", "relu"}, {"name", "a"}}, {{"kind", "tanh"}, {"name", "a"}}});
      },
      ThrowsError("/model/layers/1/name", "'a'"));
  EXPECT_THAT(
      [] {
        build({6}, {{{"kind", "relu"}}, {{"kind", "conv2d"}, {"out", 3}, {"kernel", 3}}});
      },
      ThrowsError("/model/layers/1", "channels x height x width", "6"));
  EXPECT_THAT(
      [] {
        build({3, 4, 4}, {{{"kind", "conv2d"}, {"out", 3}, {"kernel", 7}}});
      },
      ThrowsError("/model/layers/0", "3x4x4"));
  EXPECT_THAT(
      [] {
        build({3, 4, 4}, {{{"kind", "conv2d"}, {"out", 4}, {"kernel", 1}, {"groups", 2}}});
      },
      ThrowsError("/model/layers/0", "groups"));
  EXPECT_THAT(
      [] {
        build({6}, {{{"kind", "max_pool"}, {"kernel", 2}}});
      },
      ThrowsError("/model/layers/0"));
  EXPECT_THAT(
      [] {
        build({6}, {{{"kind", "lineer"}, {"out", 2}}});
      },
      ThrowsError("/model/layers/0", "lineer"));
  EXPECT_THAT(
      [] {
        build({6}, {{{"kind", "linear"}, {"out", 0}}});
      },
      ThrowsError("/model/layers/0/out"));
  EXPECT_THAT([] { build({6}, {{{"kind", "linear"}}}); }, ThrowsError("/model/layers/0"));
  EXPECT_THAT([] { build({6}, json::array()); }, ThrowsError("/model/layers"));
  EXPECT_THAT([] { build(json::array(), {{{"kind", "relu"}}}); }, ThrowsError("/model/input"));
  EXPECT_THAT([] { build({0}, {{{"kind", "relu"}}}); }, ThrowsError("/model/input"));
}

TEST(TorchScriptKind, OpensAnArchiveWithItsOutputKey) {
  const json value = {{"kind", "torchscript"},
                      {"path", fixture("dict_output").file().string()},
                      {"output", "logits"}};
  const OpenedModel opened = open_model(resolve_kind(model_family(), value, "/model"), {});
  EXPECT_EQ(opened.path, fixture("dict_output").file());
  EXPECT_EQ(opened.model.forward(tensors_of(fixture("dict_output").inputs())).size(1), 3);
}

}  // namespace
}  // namespace descramble::test
