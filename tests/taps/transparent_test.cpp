// Tapping changes nothing: names, outputs, gradients, over all fixtures.

#include <map>
#include <set>

#include <ATen/Context.h>
#include <torch/csrc/autograd/autograd.h>

#include "descramble/taps/tapped_model.h"
#include "model/fixtures.h"

namespace descramble::test {
namespace {

using ::testing::ElementsAreArray;

class Fixtures : public ::testing::TestWithParam<std::string> {
 protected:
  const Fixture& subject() const { return fixture(GetParam()); }
};

using TapNames = Fixtures;
TEST_P(TapNames, AreTheExpectedOnesInOrder) {
  std::vector<std::string> found;
  for (const TapPoint& point : list_taps(subject().load())) {
    if (point.kind != "input" && point.kind != "output") found.push_back(point.name);
  }
  EXPECT_THAT(found, ElementsAreArray(subject().facts.at("taps").get<std::vector<std::string>>()));
}

TEST_P(TapNames, BeginWithTheInputsAndEndWithTheOutput) {
  const Model model = subject().load();
  const auto points = list_taps(model);
  const ModelDescription description = model.description();
  std::size_t inputs = 0;
  for (const Argument& argument : description.inputs) inputs += argument.type == "Tensor";
  ASSERT_GE(points.size(), inputs);
  for (std::size_t i = 0; i < points.size(); ++i) {
    EXPECT_EQ(points[i].kind == "input", i < inputs) << points[i].name;
    const bool output = description.output == "Tensor" && i + 1 == points.size();
    EXPECT_EQ(points[i].kind == "output", output) << points[i].name;
    if (output) {
      EXPECT_EQ(points[i].name, "output");
    }
  }
  if (inputs > 0) {
    EXPECT_EQ(points[0].name, "input");
  }
  if (inputs > 1) {
    EXPECT_EQ(points[1].name, "input_1");
  }
}

TEST_P(TapNames, AreUnique) {
  std::set<std::string> seen;
  for (const TapPoint& point : list_taps(subject().load()))
    EXPECT_TRUE(seen.insert(point.name).second) << point.name;
}
INSTANTIATE_TEST_SUITE_P(Fixtures, TapNames,
                         ::testing::ValuesIn(fixture_names([](const Fixture& f) {
                           return f.facts.contains("taps") && f.opens();
                         })),
                         by_name);

/// All points and, where there is one, the input of each.
std::vector<std::string> everything(const Model& model) {
  std::vector<std::string> selectors;
  for (const TapPoint& point : list_taps(model)) {
    selectors.push_back(point.name);
    if (point.kind == "input" || point.kind == "output") continue;
    try {
      tap_model(model, {point.name + ".input"});
      selectors.push_back(point.name + ".input");
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr("cannot be reached"));
    }
  }
  return selectors;
}

struct Outcome {
  std::string error{};  ///< autograd's, the first line
  c10::IValue output{};
  std::vector<c10::IValue> inputs{};  ///< after the run
  std::vector<at::Tensor> gradients{};
};

template <typename Run>
Outcome outcome(const Model& model, const std::vector<c10::IValue>& example, bool differentiate,
                const Run& run) {
  at::manual_seed(7);
  Outcome result;
  result.inputs = copies(example);
  const at::AutoGradMode mode(differentiate);
  std::vector<at::Tensor> leaves;
  std::vector<c10::IValue> given;
  // A model may write into its input, which a leaf forbids: it gets a copy of the leaf.
  for (c10::IValue& input : result.inputs) {
    if (differentiate && input.isTensor() && input.toTensor().is_floating_point()) {
      const at::Tensor leaf = input.toTensor().set_requires_grad(true);
      leaves.push_back(leaf);
      input = leaf.clone();
    }
  }
  result.output = run(result.inputs);
  if (!differentiate) return result;
  for (const auto& [name, parameter] : model.parameters()) {
    if (parameter.requires_grad()) leaves.push_back(parameter);
  }
  std::vector<at::Tensor> outputs;
  std::vector<at::Tensor> weights;
  for (const at::Tensor& tensor : tensors_of(result.output)) {
    if (!tensor.requires_grad()) continue;
    outputs.push_back(tensor);
    weights.push_back(
        random_stream(2, "weights").normal_tensor(tensor.sizes()).to(tensor.scalar_type()));
  }
  if (!outputs.empty() && !leaves.empty()) {
    try {
      result.gradients =
          torch::autograd::grad(outputs, leaves, weights, {}, false, /*allow_unused=*/true);
    } catch (const std::exception& error) {
      result.error = std::string(error.what()).substr(0, 90);
    }
  }
  return result;
}

void expect_same(const Outcome& tapped, const Outcome& untouched) {
  EXPECT_TRUE(bit_equal(tapped.output, untouched.output));
  ASSERT_EQ(tapped.inputs.size(), untouched.inputs.size());
  for (std::size_t i = 0; i < tapped.inputs.size(); ++i)
    EXPECT_TRUE(bit_equal(tapped.inputs[i], untouched.inputs[i])) << "input " << i;
  EXPECT_EQ(tapped.error, untouched.error);
  ASSERT_EQ(tapped.gradients.size(), untouched.gradients.size());
  double largest = 0;
  for (const at::Tensor& gradient : untouched.gradients) {
    if (gradient.defined())
      largest = std::max(largest, gradient.abs().max().to(at::kDouble).item<double>());
  }
  for (std::size_t i = 0; i < tapped.gradients.size(); ++i) {
    const at::Tensor& gradient = tapped.gradients[i];
    ASSERT_EQ(gradient.defined(), untouched.gradients[i].defined()) << "gradient " << i;
    if (!gradient.defined()) continue;
    // From its second run on, the untouched module's executor differentiates fused pieces itself
    // and sums in another order. Gradients that cancel to nothing are noise: compared with the
    // largest.
    const double tolerance = gradient.scalar_type() == at::kDouble  ? 1e-13
                             : gradient.scalar_type() == at::kFloat ? 1e-5
                                                                    : 0.05;
    const double difference =
        (gradient - untouched.gradients[i]).abs().max().to(at::kDouble).item<double>();
    EXPECT_LE(difference, tolerance * largest) << "gradient " << i;
  }
}

/// Loads twice, since a run may change the module.
void compare(const Fixture& subject, bool training, bool differentiate, std::uint64_t variant) {
  const Model untouched = subject.load();
  const Model model = subject.load();
  untouched.set_training(training);
  model.set_training(training);
  const TappedModel tapped = tap_model(model, everything(model));
  std::vector<Watch> watches;
  std::map<std::string, int> fired;
  for (const TapPoint& point : tapped.points()) {
    if (point.in_control_flow) continue;
    watches.push_back(tapped.observe(
        point.name, [&fired, name = point.name](const at::Tensor&) { ++fired[name]; }));
  }
  const auto inputs = subject.inputs(variant);
  for (int run = 1; run <= 4; ++run) {
    SCOPED_TRACE(testing::Message()
                 << "run " << run << " training " << training << " gradients " << differentiate);
    fired.clear();
    const Outcome seen = outcome(model, inputs, differentiate,
                                 [&](const auto& values) { return tapped.forward_values(values); });
    const Outcome expected = outcome(untouched, inputs, differentiate, [&](const auto& values) {
      return untouched.forward_values(values);
    });
    expect_same(seen, expected);
    for (const TapPoint& point : tapped.points()) {
      if (!point.in_control_flow) {
        EXPECT_EQ(fired[point.name], 1) << point.name;
      }
    }
  }
  const auto left = model.parameters();
  const auto right = untouched.parameters();
  for (std::size_t i = 0; i < left.size(); ++i)
    EXPECT_TRUE(bit_equal(left[i].second, right[i].second)) << left[i].first;
}

using Transparent = Fixtures;
TEST_P(Transparent, WithoutGradients) {
  for (const std::uint64_t variant : {0, 1}) compare(subject(), false, false, variant);
}
TEST_P(Transparent, WithGradients) {
  if (GetParam() == "quantized") return;  // packed int8 weights have no gradient
  compare(subject(), false, true, 0);
}
TEST_P(Transparent, LeavesTheModelAsItWas) {
  // The user's module computes the same before and after somebody tapped it.
  if (subject().flag("stateful")) return;
  const Model model = subject().load();
  const c10::InferenceMode guard;
  const auto before = model.forward_values(subject().inputs());
  tap_model(model).forward_values(subject().inputs());
  EXPECT_TRUE(bit_equal(model.forward_values(subject().inputs()), before));
}
INSTANTIATE_TEST_SUITE_P(Fixtures, Transparent,
                         ::testing::ValuesIn(fixture_names([](const Fixture& f) {
                           return f.runs() && !f.flag("derives");
                         })),
                         by_name);

/// Batch norm, dropout, or a function that asks for `training`.
bool trains(const Fixture& f) {
  for (const char* name : {"conv_inplace", "resnet_blocks", "lenet", "conv_variants"}) {
    if (f.name.starts_with(name)) return true;
  }
  return f.flag("training");
}

using TransparentInTraining = Fixtures;
TEST_P(TransparentInTraining, WithAndWithoutGradients) {
  for (const bool differentiate : {false, true}) compare(subject(), true, differentiate, 0);
}
INSTANTIATE_TEST_SUITE_P(Fixtures, TransparentInTraining,
                         ::testing::ValuesIn(fixture_names([](const Fixture& f) {
                           return f.runs() && trains(f);
                         })),
                         by_name);

}  // namespace
}  // namespace descramble::test
