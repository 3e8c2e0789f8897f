// Jacobians between taps against central differences and against each other, over networks.

#include "descramble/jacobian/layer_jacobian.h"

#include <cmath>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "descramble/jacobian/jacobian_stack.h"
#include "descramble/model/kinds.h"
#include "descramble/objective/jacobian_l1.h"
#include "descramble/taps/tapped_model.h"
#include "model/fixtures.h"

namespace descramble::test {
namespace {

using nlohmann::json;

struct Case {
  std::string name{};
  json input{};
  json layers{};
  std::string from{};
  std::string to{};
  std::string route{};
};

void PrintTo(const Case& one, std::ostream* out) {
  *out << one.name;
}

std::vector<Case> cases() {
  const json conv = {{"kind", "conv2d"}, {"name", "c1"}, {"out", 4}, {"kernel", 3}, {"padding", 1}};
  const json strided = {
      {"kind", "conv2d"}, {"name", "c2"}, {"out", 3}, {"kernel", 3}, {"stride", 2}};
  const auto named = [](const char* kind, const char* name, json more = json::object()) {
    more.update({{"kind", kind}, {"name", name}});
    return more;
  };
  const auto linear = [&](const char* name, int out) {
    return named("linear", name, {{"out", out}});
  };
  return {
      {"mlp",
       {6},
       {linear("a", 7), named("relu", "r"), linear("b", 5), named("relu", "s"), linear("c", 3)},
       "a",
       "c",
       "masked_product"},
      {"smooth", {6}, {linear("a", 7), named("tanh", "r"), linear("b", 5)}, "a", "b", "vjp"},
      {"few_inputs", {2}, {linear("a", 2), named("tanh", "r"), linear("b", 9)}, "a", "b", "jvp"},
      {"conv", {2, 7, 7}, {conv, named("relu", "r"), strided}, "c1", "c2", "masked_product"},
      {"max_pool",
       {2, 6, 6},
       {conv, named("max_pool", "p", {{"kernel", 2}, {"stride", 2}}), named("flatten", "f"),
        linear("b", 4)},
       "c1",
       "b",
       "masked_product"},
      {"average_pool",
       {2, 6, 6},
       {conv, named("avg_pool", "p", {{"kernel", 2}, {"stride", 2}}), named("relu", "r"), strided},
       "c1",
       "c2",
       "masked_product"},
      {"batch_norm",
       {2, 6, 6},
       {conv, named("batch_norm", "n"), named("relu", "r"), named("dropout", "d"), strided},
       "c1",
       "c2",
       "masked_product"},
  };
}

Model model_of(const Case& what, at::ScalarType dtype) {
  const json config = {{"kind", "sequential"}, {"input", what.input}, {"layers", what.layers}};
  return open_model(resolve_kind(model_family(), config, "/model"), {.seed = 3})
      .model.to_dtype(dtype);
}

at::Tensor inputs_of(const Case& what, at::ScalarType dtype) {
  std::vector<std::int64_t> sizes{4};
  for (const std::int64_t size : what.input) sizes.push_back(size);
  return random_stream(8, "test/inputs").normal_tensor(sizes).to(dtype);
}

class Jacobians : public ::testing::TestWithParam<Case> {};

TEST_P(Jacobians, OfEveryRouteAgree) {
  const Case& what = GetParam();
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    const Model model = model_of(what, dtype);
    const at::Tensor inputs = inputs_of(what, dtype);
    const LayerJacobian best(model, what.from, what.to, {inputs});
    EXPECT_EQ(best.route(), what.route) << best.obstacle();
    EXPECT_EQ(best.obstacle().empty(), what.route == "masked_product");
    const JacobianBlocks expected = best({inputs});
    EXPECT_GT(expected.blocks.abs().max().item<double>(), 0);
    for (const char* route : {"vjp", "jvp"}) {
      const LayerJacobian other(model, what.from, what.to, {inputs}, {.route = route});
      const JacobianBlocks found = other({inputs});
      ASSERT_EQ(found.blocks.sizes(), expected.blocks.sizes()) << route;
      EXPECT_EQ(found.sample.defined(), expected.sample.defined());
      if (found.sample.defined()) {
        EXPECT_TRUE(at::equal(found.sample, expected.sample));
      }
      const double scale = expected.blocks.abs().max().item<double>();
      EXPECT_LE((found.blocks - expected.blocks).abs().max().item<double>(),
                scale * (dtype == at::kDouble ? 1e-12 : 1e-5))
          << route;
    }
  }
}

TEST_P(Jacobians, AreCentralDifferences) {
  const Case& what = GetParam();
  const Model model = model_of(what, at::kDouble);
  const at::Tensor inputs = inputs_of(what, at::kDouble);
  // All quantities of both values: one block a sample.
  const LayerJacobian layer(model, what.from, what.to, {inputs},
                            {.from_axis = Axis::neurons, .to_axis = Axis::neurons});
  const at::Tensor found = layer({inputs}).blocks;
  const TappedModel tapped = tap_model(model, {what.from, what.to});
  const at::NoGradGuard no_grad;
  const at::Tensor value = layer.from_values({inputs});
  const auto behind = [&](const at::Tensor& changed) {
    const Watch watch =
        tapped.replace(what.from, [&](const at::Tensor&) { return changed.clone(); });
    return tapped.forward_until(what.to, {inputs}).flatten(1).clone();
  };
  constexpr double step = 1e-6;
  for (std::int64_t j = 0; j < found.size(2); ++j) {
    at::Tensor up = value.clone();
    at::Tensor down = value.clone();
    up.view({up.size(0), -1}).select(1, j) += step;
    down.view({down.size(0), -1}).select(1, j) -= step;
    const at::Tensor expected = (behind(up) - behind(down)) / (2 * step);
    EXPECT_LE((expected - found.select(2, j)).abs().max().item<double>(),
              1e-6 * found.abs().max().item<double>())
        << j;
  }
}

class Rows final : public DataSet {
 public:
  explicit Rows(at::Tensor rows) : rows_(std::move(rows)) {}
  std::int64_t size() const override { return rows_.size(0); }
  bool has_labels() const override { return false; }
  Batch gather(const std::vector<std::int64_t>& indices) const override {
    return {{rows_.index_select(0, at::tensor(indices, at::kLong))}, {}};
  }

 private:
  at::Tensor rows_;
};

INSTANTIATE_TEST_SUITE_P(, Jacobians, ::testing::ValuesIn(cases()),
                         [](const auto& one) { return one.param.name; });

TEST(LayerJacobian, OfFixturesAgreesWithAutograd) {
  int compared = 0;
  for (const auto& [name, from, to, route] :
       {std::tuple{"conv_inplace_scripted", "features.0", "features.3", "masked_product"},
        {"conv_inplace_traced", "features.0", "features.3", "masked_product"},
        {"resnet_blocks_scripted", "layer1.0", "layer1.1", "vjp"},
        {"mlp", "fc1", "fc2", "masked_product"},
        {"smooth_mlp", "fc1", "fc2", "vjp"}}) {
    SCOPED_TRACE(name);
    const Fixture& what = fixture(name);
    const Model model = what.load().to_dtype(at::kDouble);
    const at::Tensor inputs = what.inputs().at(0).toTensor().to(at::kDouble);
    const LayerJacobian best(model, from, to, {inputs});
    EXPECT_EQ(best.route(), route) << best.obstacle();
    const LayerJacobian plain(model, from, to, {inputs}, {.route = "vjp"});
    const at::Tensor a = best({inputs}).blocks;
    const at::Tensor b = plain({inputs}).blocks;
    ASSERT_EQ(a.sizes(), b.sizes());
    EXPECT_LE((a - b).abs().max().item<double>(), 1e-12 * b.abs().max().item<double>());
    ++compared;
  }
  EXPECT_EQ(compared, 5);
}

// Softmax at the end, attention in between: no masked product, and the two products agree.
TEST(LayerJacobian, ThroughSoftmaxIsByAutograd) {
  for (const auto& [name, from, to] :
       {std::tuple{"lenet_functional_scripted", "fc1", "log_softmax"},
        {"lenet_functional_traced", "fc1", "output"},
        {"attention_scripted", "blocks.0", "blocks.1"}}) {
    SCOPED_TRACE(name);
    const Fixture& what = fixture(name);
    const Model model = what.load().to_dtype(at::kDouble);
    const at::Tensor inputs = what.inputs().at(0).toTensor().to(at::kDouble);
    const LayerJacobian rows(model, from, to, {inputs}, {.route = "vjp"});
    const LayerJacobian columns(model, from, to, {inputs}, {.route = "jvp"});
    EXPECT_FALSE(rows.obstacle().empty());
    const at::Tensor a = rows({inputs}).blocks;
    const at::Tensor b = columns({inputs}).blocks;
    ASSERT_EQ(a.sizes(), b.sizes());
    EXPECT_GT(a.abs().max().item<double>(), 0);
    EXPECT_LE((a - b).abs().max().item<double>(), 1e-12 * a.abs().max().item<double>());
  }
}

double sum_of(const JacobianStack& stack) {
  double sum = 0;
  stack.for_each([&](const JacobianStack::Part& part) {
    sum += (part.blocks.to(at::kDouble).abs() * part.weights).sum().item<double>();
  });
  return sum;
}

void near_sums(const JacobianStack& a, const JacobianStack& b) {
  EXPECT_NEAR(sum_of(a), sum_of(b), 1e-6 * sum_of(a));
}

TEST(JacobianStack, IsTheSameAboveTheCeilingAndCollapsed) {
  const Case what{"",
                  {200},
                  {{{"kind", "linear"}, {"name", "a"}, {"out", 250}},
                   {{"kind", "relu"}, {"name", "r"}},
                   {{"kind", "linear"}, {"name", "b"}, {"out", 240}},
                   {{"kind", "relu"}, {"name", "s"}}},
                  "r",
                  "s",
                  ""};
  const Model model = model_of(what, at::kFloat);
  const at::Tensor inputs = random_stream(9, "test/rows").normal_tensor({90, 200}).to(at::kFloat);
  const auto data = std::make_shared<const Rows>(inputs);
  const auto layer = std::make_shared<const LayerJacobian>(
      model, "r", "s", std::vector<at::Tensor>{inputs.slice(0, 0, 4)});
  std::vector<std::int64_t> all(90);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::int64_t>(i);
  const JacobianStack kept = JacobianStack::of(layer, data, all, {.memory_mb = 64});
  const JacobianStack streamed = JacobianStack::of(layer, data, all, {.memory_mb = 2});
  EXPECT_TRUE(kept.kept());
  EXPECT_FALSE(streamed.kept());
  const double expected = sum_of(kept);
  EXPECT_NEAR(sum_of(streamed), expected, 1e-6 * expected);
  const auto rates = JacobianStack::collapsed(*layer, *data, all, JacobianStack::Side::outputs, {});
  ASSERT_TRUE(rates.has_value());
  EXPECT_NEAR(sum_of(*rates), expected, 1e-6 * expected);
  EXPECT_FALSE(JacobianStack::collapsed(*layer, *data, all, JacobianStack::Side::inputs, {}));
  // Scored alike: value, sharp and smoothed, bound and sparsity.
  const auto objective = [](const JacobianStack& stack) {
    return JacobianL1({.taps = {"r", "s"}, .layers = {stack}}, {true, false});
  };
  const JacobianL1 of_kept = objective(kept);
  const at::Tensor p = std::get<0>(
      at::linalg_qr(random_stream(3, "test/turn").normal_tensor({250, 250}), "reduced"));
  for (const JacobianStack* other : {&streamed, &*rates}) {
    const JacobianL1 found = objective(*other);
    const auto near = [](double a, double b) { EXPECT_NEAR(a, b, 1e-5 * b); };
    near(found.value(p), of_kept.value(p));
    near(found.smoothed(0.3)->value(p), of_kept.smoothed(0.3)->value(p));
    near(found.sparsity(1), of_kept.sparsity(1));
    near(*found.lower_bound(p), *of_kept.lower_bound(p));
    const at::Tensor gradient = of_kept.gradient(p);
    EXPECT_LE((found.gradient(p) - gradient).norm().item<double>(),
              1e-4 * gradient.norm().item<double>());
  }
  EXPECT_THAT(
      [&] {
        JacobianL1({.taps = {"r", "s"}, .layers = {*rates}}, {false, true});
      },
      ThrowsMessage<Error>(::testing::HasSubstr("serves one side")));
  // Of some samples, the same whether kept or computed again.
  near_sums(kept.first(31), streamed.first(31));
  EXPECT_EQ(streamed.first(31).samples(), 31);
  EXPECT_THAT([&] { JacobianStack::of(layer, data, all, {.memory_mb = 0}); },
              ThrowsMessage<Error>(::testing::AllOf(::testing::HasSubstr("does not fit"),
                                                    ::testing::HasSubstr("memory_mb >= 1"))));
  EXPECT_THAT([&] { JacobianStack::of(layer, data, {}, {}); },
              ThrowsMessage<Error>(::testing::HasSubstr("no samples")));
}

TEST(JacobianStack, WeighsSamples) {
  const Case what = cases()[1];  // tanh
  const Model model = model_of(what, at::kDouble);
  const at::Tensor inputs = inputs_of(what, at::kDouble);
  const auto data = std::make_shared<const Rows>(inputs);
  const auto layer = std::make_shared<const LayerJacobian>(model, what.from, what.to,
                                                           std::vector<at::Tensor>{inputs});
  const at::Tensor sums = (*layer)({inputs}).blocks.abs().sum({1, 2});
  const at::Tensor weights = at::tensor({1.0, 0.0, 2.0, 5.0}, at::kDouble);
  const JacobianStack stack = JacobianStack::of(layer, data, {0, 1, 2, 3}, {.weights = weights});
  const double expected = sums.dot(weights).item<double>() / 8;
  EXPECT_NEAR(sum_of(stack), expected, 1e-12 * expected);
  const double of_three = sums.slice(0, 0, 3).dot(weights.slice(0, 0, 3)).item<double>() / 3;
  EXPECT_NEAR(sum_of(stack.first(3)), of_three, 1e-12 * of_three);
  EXPECT_THAT(
      [&] {
        JacobianStack::of(layer, data, {0, 1}, {.weights = weights});
      },
      ThrowsMessage<Error>(::testing::HasSubstr("one for each sample")));
}

// On every route, the collapse included: a mask of NaN is 0 and would hide it.
TEST_P(Jacobians, NameTheSampleThatIsNotFinite) {
  const Case& what = GetParam();
  const Model model = model_of(what, at::kDouble);
  const at::Tensor inputs = inputs_of(what, at::kDouble);
  const auto layer = std::make_shared<const LayerJacobian>(model, what.from, what.to,
                                                           std::vector<at::Tensor>{inputs});
  at::Tensor broken = inputs.clone();
  broken[2].fill_(std::nan(""));
  try {
    (*layer)({broken});
    FAIL() << "nothing was said";
  } catch (const SampleError& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("not finite"));
    EXPECT_EQ(error.sample(), 2);
  }
  // With its number in the data: the third of those taken.
  const at::Tensor many = at::cat({inputs, broken});
  const auto data = std::make_shared<const Rows>(many);
  EXPECT_THAT(
      [&] {
        JacobianStack::of(layer, data, {1, 5, 6}, {});
      },
      ThrowsMessage<Error>(::testing::HasSubstr("sample 6 of the data")));
}

TEST(JacobianStack, NamesASampleThatIsNotFiniteWhenItCollapses) {
  Case what = cases()[0];
  what.from = "r";
  what.to = "s";
  const Model model = model_of(what, at::kDouble);
  at::Tensor inputs = inputs_of(what, at::kDouble);
  const LayerJacobian layer(model, "r", "s", {inputs});
  inputs[3].fill_(std::nan(""));
  EXPECT_THAT(
      [&] {
        JacobianStack::collapsed(layer, Rows(inputs), {0, 3}, JacobianStack::Side::outputs, {});
      },
      ThrowsMessage<Error>(::testing::AllOf(::testing::HasSubstr("not finite"),
                                            ::testing::HasSubstr("sample 3 of the data"))));
}

// A linear convolution's blocks are slices of its kernel: the layout of positions on its own.
TEST(LayerJacobian, OfAConvolutionIsItsKernel) {
  const Case what{"",
                  {2, 5, 5},
                  {{{"kind", "conv2d"}, {"name", "a"}, {"out", 3}, {"kernel", 1}},
                   {{"kind", "conv2d"}, {"name", "b"}, {"out", 4}, {"kernel", 3}}},
                  "a",
                  "b",
                  ""};
  const Model model = model_of(what, at::kDouble);
  const at::Tensor inputs = random_stream(8, "test/inputs").normal_tensor({2, 2, 5, 5});
  at::Tensor kernel;
  for (const auto& [name, value] : model.parameters()) {
    if (name == "b.weight") kernel = value;
  }
  ASSERT_TRUE(kernel.defined());
  const at::Tensor slices = kernel.permute({2, 3, 0, 1}).reshape({9, 4, 3});
  for (const char* route : {"masked_product", "vjp", "jvp"}) {
    const LayerJacobian layer(model, "a", "b", {inputs}, {.positions = 2, .route = route});
    const JacobianBlocks found = layer({inputs});
    // Two samples, two output positions, nine input positions each.
    ASSERT_EQ(found.blocks.sizes(), (std::vector<std::int64_t>{36, 4, 3})) << route;
    for (std::int64_t k = 0; k < 36; ++k) {
      EXPECT_LE((found.blocks[k] - slices[k % 9]).abs().max().item<double>(), 1e-14);
      EXPECT_EQ(found.sample[k].item<std::int64_t>(), k / 18);
    }
  }
}

TEST(LayerJacobian, OfValuesIsForMaskedProductsAlone) {
  const Case what = cases()[1];
  const Model model = model_of(what, at::kDouble);
  const at::Tensor inputs = inputs_of(what, at::kDouble);
  const LayerJacobian layer(model, what.from, what.to, {inputs});
  EXPECT_THAT([&] { layer.of_values(layer.from_values({inputs})); },
              ThrowsMessage<Error>(::testing::HasSubstr("vjp, since of aten::tanh")));
}

TEST(LayerJacobian, RefusesWhatHasNone) {
  const auto refused_in = [](const char* name, const char* from, const char* to) {
    const Fixture& what = fixture(name);
    const Model model = what.load();
    const at::Tensor inputs = what.inputs().at(0).toTensor();
    try {
      LayerJacobian(model, from, to, {inputs});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("nothing");
  };
  const auto refused = [&](const char* from, const char* to) {
    return refused_in("mlp", from, to);
  };
  EXPECT_THAT(refused_in("for_loop", "fc", "tanh"), ::testing::HasSubstr("outside of `if`"));
  EXPECT_THAT(refused_in("no_grad_block", "fc1", "add"),
              ::testing::AllOf(::testing::HasSubstr("no path with a derivative"),
                               ::testing::HasSubstr("aten::relu")));
  // Beside each other: the second layer does not see the first one's values.
  EXPECT_THAT(refused_in("no_grad_block", "fc1", "fc2"),
              ::testing::HasSubstr("found no operation that takes the one to the other"));
  EXPECT_THAT(refused("fc2", "fc1"), ::testing::HasSubstr("to come before"));
  EXPECT_THAT(refused("fc1", "fc1"), ::testing::HasSubstr("twice"));
  EXPECT_THAT(refused("fc1", "nowhere"), ::testing::HasSubstr("nowhere"));
}

}  // namespace
}  // namespace descramble::test
