// What a config says of a model: arguments, batches, tolerance, state; and what is said back.

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/log1p.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros_like.h>

#include "cli/command.h"
#include "descramble/core/safetensors.h"
#include "descramble/taps/point.h"
#include "descramble/taps/tapped_model.h"
#include "model/fixtures.h"

namespace descramble::test {
namespace {

using ::testing::HasSubstr;

class Models : public CommandTest {
 protected:
  /// Inputs by name, `count` samples each, for a fixture; one step.
  json config(const std::string& name, const std::vector<std::pair<std::string, int>>& inputs,
              std::int64_t count, const json& step) const {
    NamedTensors tensors;
    std::vector<std::string> names;
    for (const auto& [input, size] : inputs) {
      names.push_back(input);
      tensors[input] = at::randn({count, size});
    }
    save_safetensors(at("data.safetensors"), tensors);
    return {
        {"name", "models"},
        {"threads", 1},
        {"model", {{"kind", "torchscript"}, {"path", fixture(name + ".pt").string()}}},
        {"data",
         {{"kind", "safetensors"}, {"path", at("data.safetensors").string()}, {"inputs", names}}},
        {"steps", json::array({step})}};
  }
  json result() const { return json::parse(read(at("out") / "result.json")); }

  static json statistics() { return {{"kind", "statistics"}, {"taps", "fc1"}}; }
  static json descramble() {
    return {{"kind", "descramble"}, {"tap", "fc1"}, {"objective", {{"kind", "smoothness"}}}};
  }
};

TEST_F(Models, ArgumentsThatDoNotFitAreRefusedWithTheirPlace) {
  json config = this->config("many_arguments", {{"x", 8}, {"h", 6}, {"c", 6}}, 8, statistics());
  const json good = {{"rate", 2},
                     {"scale", 0.5},
                     {"on", true},
                     {"state", json::array({{{"input", "h"}}, {{"input", "c"}}})}};
  config["model"]["arguments"] = good;
  EXPECT_EQ(run_config(config).code, 0);
  const std::vector<std::tuple<const char*, json, std::string>> cases = {
      {"rate", "two", "/model/arguments/rate"},
      {"rate", 2.5, "int"},
      {"scale", true, "float"},
      {"on", 1, "bool"},
      {"state", json::array({{{"input", "h"}}}), "Tuple[Tensor, Tensor]"},
      {"state", json::array({{{"input", "h"}}, {{"input", "d"}}}), "one of 'x', 'h', 'c'"},
      {"state", json::array({{{"input", "h"}, {"batch", 1}}, {{"input", "c"}}}), "'batch_dim'"},
      {"rat", 2, "the model has no such argument"}};
  for (const auto& [name, value, part] : cases) {
    fs::remove_all(at("out"));
    config["model"]["arguments"] = good;
    config["model"]["arguments"][name] = value;
    expect_refused(run_config(config), {"/model/arguments", part});
  }
  config["model"]["arguments"] = {{"rate", 2}, {"scale", 0.5}};
  expect_refused(run_config(config), {"nothing fills an argument", "/model/arguments/on", "bool"});
}

TEST_F(Models, SamplesBehindTheLastWholeBatchAreLeftOutAndCounted) {
  json config = this->config("one_batch_size_traced", {{"x", 8}}, 14, statistics());
  config["data"]["batch_size"] = 4;
  ASSERT_EQ(run_config(config).code, 0);
  EXPECT_EQ(result()["steps"][0]["taps"][0]["count"], 12);
  EXPECT_THAT(result()["warnings"].dump(), HasSubstr("the last 2 of 14 samples are left out"));
  config["data"]["batch_size"] = 5;
  fs::remove_all(at("out"));
  expect_refused(run_config(config), {"does not take this input"});
}

TEST_F(Models, CertificatesAreJudgedByTheNoiseFloorOrTheTolerance) {
  json config = this->config("mlp", {{"x", 8}}, 40, descramble());
  ASSERT_EQ(run_config(config).code, 0);
  const json plain = result()["steps"][0]["certificate"];
  EXPECT_GT(plain["floor"].get<double>(), 0);
  EXPECT_LT(plain["floor"].get<double>(), 1e-5);
  EXPECT_EQ(plain["allowed"], 1e-4);
  config["model"]["tolerance"] = 1e-12;
  fs::remove_all(at("out"));
  expect_refused(run_config(config), {"the certificate does not hold", "1e-12"}, 1);
  config["model"]["tolerance"] = 1e-3;
  ASSERT_EQ(run_config(config).code, 0);
  EXPECT_EQ(result()["steps"][0]["certificate"]["allowed"], 1e-3);
  EXPECT_EQ(command({"verify", at("out").string()}).code, 0);
}

TEST_F(Models, ObjectsOfScriptedClassesGetTheDtypeToo) {
  json config = this->config("object_attribute", {{"x", 8}}, 20, descramble());
  config["dtype"] = "float64";
  const Outcome outcome = run_config(config);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_LE(result()["steps"][0]["certificate"]["exported"].get<double>(), 1e-12);
}

TEST_F(Models, OfOneSampleWithoutABatchAreToldHow) {
  json config = this->config("no_batch", {}, 0, statistics());
  save_safetensors(at("data.safetensors"), {{"x", at::randn({12, 5, 3})}});
  config["data"]["inputs"] = "x";
  expect_refused(run_config(config), {"the model takes no batches", "\"batched\": false"});
  config["model"]["batched"] = false;
  config["data"]["batch_size"] = nullptr;
  EXPECT_EQ(run_config(config).code, 0);
}

TEST_F(Models, CheckSamplesAreSpreadOverTheData) {
  ASSERT_EQ(run_config(config("mlp", {{"x", 8}}, 80, statistics())).code, 0);
  EXPECT_EQ(result()["check"]["samples"], json({0, 10, 20, 30, 40, 50, 60, 70}));
}

TEST_F(Models, StateIsNamedAndResetOrCarried) {
  json config =
      this->config("recurrent_policy", {{"x", 8}}, 24, {{"kind", "capture"}, {"taps", "head"}});
  config["data"]["batch_size"] = 8;
  const auto captured = [&](const char* policy) {
    fs::remove_all(at("out"));
    config["model"]["state"] = policy;
    const Outcome outcome = run_config(config);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("'cell.hidden'"));
    EXPECT_EQ(result()["state"]["policy"], policy);
    EXPECT_EQ(result()["state"]["written"],
              json({"cell.hidden", "cell.last", "cell.seen", "trail"}));
    return load_safetensors(at("out") / "tensors.safetensors").at("steps.0.head.values");
  };
  const at::Tensor reset = captured("reset");
  const at::Tensor carried = captured("carry");
  EXPECT_TRUE(reset.slice(0, 0, 8).equal(carried.slice(0, 0, 8)));
  EXPECT_FALSE(reset.slice(0, 8, 16).equal(carried.slice(0, 8, 16)));
}

// The force of an energy E(h(x)) whose h is ablated is that of the ablated energy.
TEST_F(Models, DerivativesThatAModelTakesGoThroughTheAblatedValue) {
  const Model model = load_model(fixture("force_with_graph.pt")).to_dtype(at::kDouble);
  json config = this->config("force_with_graph", {{"x", 8}}, 12, {});
  config["dtype"] = "float64";
  config["steps"] = json::array({{{"kind", "completeness"},
                                  {"taps", "energy.fc1"},
                                  {"bases", json::array({{{"kind", "neurons"}}})},
                                  {"orders", "given"},
                                  {"ablate", "zero"},
                                  {"grid", {{"kind", "all"}}}}});
  const Outcome outcome = run_config(config);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json tap = result()["steps"][0]["taps"][0];
  EXPECT_THAT(tap["runs_whole"].get<std::string>(), HasSubstr("autograd.grad"));
  // The first two neurons ablated, by hand: E = w₂ · tanh(m ∘ (W₁ x + b₁)) + b₂.
  std::map<std::string, at::Tensor> weights;
  for (const auto& [name, parameter] : model.parameters()) weights[name] = parameter.detach();
  const at::Tensor x = load_safetensors(at("data.safetensors")).at("x").to(at::kDouble);
  const auto output = [&](std::int64_t ablated) {
    at::Tensor kept = at::ones({6}, at::kDouble);
    kept.slice(0, 0, ablated).zero_();
    const at::Tensor h = at::tanh(
        kept * (x.matmul(weights.at("energy.fc1.weight").t()) + weights.at("energy.fc1.bias")));
    const at::Tensor w2 = weights.at("energy.fc2.weight");
    const at::Tensor slope = (kept * w2 * (1 - h * h)).matmul(weights.at("energy.fc1.weight"));
    return at::cat({h.matmul(w2.t()) + weights.at("energy.fc2.bias"), -slope}, 1);
  };
  const at::Tensor untouched = output(0);
  const auto rows = csv("out/curves.csv");
  ASSERT_EQ(rows.size(), 7U);
  for (const auto& row : rows) {
    const at::Tensor apart = output(std::stoll(row.at("ablated"))) - untouched;
    EXPECT_NEAR(std::stod(row.at("relative_error")),
                (apart.norm() / untouched.norm()).item<double>(), 1e-6)
        << row.at("ablated");
  }
}

TEST_F(Models, JacobiansLeadThroughDerivativesThatAModelTakes) {
  json config = this->config("force_with_graph", {{"x", 8}}, 12, {});
  config["dtype"] = "float64";
  config["steps"] = json::array(
      {{{"kind", "jacobian"}, {"from", "energy.fc1"}, {"to", "output"}, {"keep", true}}});
  ASSERT_EQ(run_config(config).code, 0);
  const at::Tensor stack =
      load_safetensors(at("out") / "tensors.safetensors").at("steps.0.energy.fc1..output.stack");
  const Model model = load_model(fixture("force_with_graph.pt")).to_dtype(at::kDouble);
  const TappedModel tapped = tap_model(model, {"energy.fc1"});
  const at::Tensor x = load_safetensors(at("data.safetensors")).at("x").to(at::kDouble);
  constexpr double step = 1e-6;
  for (std::int64_t unit = 0; unit < 6; ++unit) {
    const auto moved = [&](double by) {
      const Watch watch = tapped.replace("energy.fc1", [&](const at::Tensor& h) {
        const c10::AutoGradMode on(true);
        at::Tensor change = at::zeros_like(h).detach();
        change.select(1, unit).fill_(by);
        return h + change;
      });
      return tapped.forward({x}).detach();
    };
    const at::Tensor expected = (moved(step) - moved(-step)) / (2 * step);
    EXPECT_LE((stack.select(2, unit) - expected).abs().max().item<double>(), 1e-8) << unit;
  }
}

TEST_F(Models, OutputsThatNothingCanBeHeldAgainstAreRefused) {
  const json completeness = {{"kind", "completeness"},
                             {"taps", "matmul"},
                             {"bases", json::array({{{"kind", "pca"}}})},
                             {"grid", {{"kind", "linear"}, {"points", 3}}}};
  json config = this->config("mlp", {{"x", 8}}, 12, completeness);
  at::Tensor inputs = at::randn({12, 8});
  inputs.select(1, 0).copy_(at::arange(12).sub(5));  // its first number turns positive on the way
  save_safetensors(at("data.safetensors"), {{"x", inputs}});
  config["model"]["path"] = at("net.pt").string();
  config["data"]["batch_size"] = 4;
  const auto outcome_of = [&](const std::string& output) {
    torch::jit::Module net("Net");
    net.register_parameter("w", at::eye(8).slice(1, 0, 3).contiguous(), /*is_buffer=*/false);
    net.define("def forward(self, x):\n  y = torch.matmul(x, self.w)\n  return " + output + "\n");
    net.save(at("net.pt").string());
    fs::remove_all(at("out"));
    return run_config(config);
  };
  expect_refused(outcome_of("y.to_sparse()"), {"a sparse one"});
  expect_refused(outcome_of("torch.complex(y, y)"), {"cannot be judged", "ComplexFloat"});
  expect_refused(outcome_of("y[:, :0]"), {"cannot be judged", "8x0"});
  expect_refused(outcome_of("y if bool(x[0, 0] == x[0, 0].abs()) else y[:, :1]"),
                 {"from batch to batch"});
  // Whole numbers are numbers.
  const Outcome outcome = outcome_of("y.argmax(1)");
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(result()["steps"][0]["against"], "untouched output");
  EXPECT_EQ(result()["steps"][0]["taps"][0]["untouched"]["relative_error"], 0);
}

TEST_F(Models, OutputsOfAnyTypeGiveClasses) {
  for (const char* name : {"mlp", "quantized_output", "bool_output", "whole_output"}) {
    fs::remove_all(at("out"));
    json config = this->config(name, {{"x", 8}}, 40, {});
    const Model model = load_model(fixture(std::string(name) + ".pt"));
    NamedTensors tensors = load_safetensors(at("data.safetensors"));
    const at::Tensor said =
        model.forward({tensors.at("x").to(model.dtype())}).detach().to(at::kDouble);
    // Of equal ones the first.
    at::Tensor classes = said.dim() == 1 ? said.gt(0).to(at::kLong) : said.argmax(1);
    const std::int64_t count = said.dim() == 1 ? 2 : said.size(1);
    classes.slice(0, 0, 4) = (classes.slice(0, 0, 4) + 1).remainder(count);
    tensors["class"] = classes;
    save_safetensors(at("data.safetensors"), tensors);
    config["data"]["labels"] = "class";
    json completeness = {{"kind", "completeness"},
                         {"taps", "fc1"},
                         {"bases", json::array({{{"kind", "pca"}}})},
                         {"grid", {{"kind", "linear"}, {"points", 3}}}};
    json untouched = completeness;
    untouched["reference"] = "class";
    config["steps"] = json::array({{{"kind", "evaluate"}},
                                   completeness,
                                   untouched,
                                   {{"kind", "capture"}, {"taps", "fc1"}, {"data", "test"}}});
    Outcome outcome = run_config(config);
    ASSERT_EQ(outcome.code, 0) << name << ": " << outcome.err;
    const json steps = result()["steps"];
    EXPECT_EQ(steps[0]["top1"], 0.9) << name;
    EXPECT_EQ(steps[1]["taps"][0]["untouched"]["top1"], 0.9) << name;
    EXPECT_EQ(steps[2]["taps"][0]["untouched"]["top1"], 1.0) << name;
    const bool decides = std::string(name) == "whole_output";
    EXPECT_EQ(result().dump().find("read as a logit") != std::string::npos, decides) << name;
    fs::rename(at("out"), at("donor"));
    config["steps"] =
        json::array({{{"kind", "patch"}, {"tap", "fc1"}, {"capture", at("donor").string()}}});
    outcome = run_config(config);
    fs::remove_all(at("donor"));
    ASSERT_EQ(outcome.code, 0) << name << ": " << outcome.err;
    EXPECT_EQ(result()["steps"][0]["agreement"], 1.0) << name;
    EXPECT_EQ(result()["steps"][0]["after"]["top1"], 0.9) << name;
  }
}

TEST_F(Models, OutputsWhoseWidthChangesAreRefusedInEveryBatch) {
  json config = this->config("output_width", {{"x", 8}}, 40, {});
  config["data"]["batch_size"] = 4;
  config["data"]["labels"] = "class";
  NamedTensors tensors = load_safetensors(at("data.safetensors"));
  tensors["class"] = at::arange(40, at::kLong).remainder(3);
  save_safetensors(at("data.safetensors"), tensors);
  const json completeness = {{"kind", "completeness"},
                             {"taps", "fc1"},
                             {"bases", json::array({{{"kind", "pca"}}})},
                             {"grid", {{"kind", "linear"}, {"points", 3}}}};
  std::vector<json> steps = {{{"kind", "evaluate"}}, completeness, completeness, completeness};
  steps[2]["reference"] = "class";
  steps[3]["reference"] = "output";
  config["steps"] = json::array({{{"kind", "capture"}, {"taps", "fc1"}}});
  ASSERT_EQ(run_config(config).code, 0);
  fs::rename(at("out"), at("donor"));
  steps.push_back({{"kind", "patch"}, {"tap", "fc1"}, {"capture", at("donor").string()}});
  // The first number of the third batch, which holds no check sample.
  tensors.at("x")[8][0] = 200;
  save_safetensors(at("data.safetensors"), tensors);
  for (const json& step : steps) {
    config["steps"] = json::array({step});
    fs::remove_all(at("out"));
    expect_refused(run_config(config), {"the output's shape changes from batch to batch", "4x6"});
  }
}

TEST_F(Models, ExceptionsOfTheirOwnAreCalledThat) {
  torch::jit::Module net("Net");
  net.define("def forward(self, x):\n  assert x.dim() == 3, \"no vectors here\"\n  return x\n");
  net.save(at("net.pt").string());
  json config = this->config("mlp", {{"x", 8}}, 12, {{"kind", "capture"}, {"taps", "input"}});
  config["model"]["path"] = at("net.pt").string();
  expect_refused(run_config(config),
                 {"the model's own code raises an exception", "no vectors here"});
  expect_refused(command({"taps", at("net.pt").string(), "--input", "2,8"}),
                 {"the model's own code raises an exception", "no vectors here"});
}

TEST_F(Models, CapturesOfSomeSamplesSayThatTheyAre) {
  json config = this->config("drops_samples", {{"x", 8}}, 40,
                             {{"kind", "capture"}, {"taps", {"fc1", "some"}}});
  ASSERT_EQ(run_config(config).code, 0);
  const json step = result()["steps"][0];
  ASSERT_EQ(step["warnings"].size(), 1U);
  EXPECT_THAT(step["warnings"][0].get<std::string>(), HasSubstr("rows for 40 samples"));
}

TEST_F(Models, ValuesWithoutRowsAreRefusedBeforeAnyStepRuns) {
  json config = this->config("odd_values", {{"x", 4}}, 12, statistics());
  config["data"]["batch_size"] = 3;
  std::size_t refused = 0;
  for (const TapReading& reading :
       read_taps(test::fixture("odd_values").load(), {at::randn({3, 4})})) {
    const bool floats = reading.dtype.starts_with("float");
    if (reading.fired != 1 || (floats && !reading.sizes.empty())) continue;
    config["steps"] = json::array({{{"kind", "capture"}, {"taps", "input"}},
                                   {{"kind", "statistics"}, {"taps", reading.point.name}}});
    fs::remove_all(at("out"));
    const Outcome outcome = run_config(config);
    expect_refused(outcome, {"/steps/1 (statistics)", "the value has no rows", reading.point.name});
    EXPECT_THAT(outcome.out, ::testing::Not(HasSubstr("[1/2]")));
    ++refused;
  }
  EXPECT_GT(refused, 1U);
}

TEST_F(Models, OneLogitTellsTwoClassesApart) {
  for (const char* name : {"one_logit", "one_logit_traced"}) {
    fs::remove_all(at("out"));
    json config = this->config(name, {{"x", 8}}, 40, {});
    const Model model = load_model(fixture(std::string(name) + ".pt"));
    NamedTensors tensors = load_safetensors(at("data.safetensors"));
    const at::Tensor said = model.forward({tensors.at("x")}).detach();
    at::Tensor classes = said.gt(0).to(at::kLong);
    classes.slice(0, 0, 4) = 1 - classes.slice(0, 0, 4);  // four of them are wrong
    tensors["class"] = classes;
    save_safetensors(at("data.safetensors"), tensors);
    config["data"]["labels"] = "class";
    config["steps"] = json::array({{{"kind", "evaluate"}},
                                   {{"kind", "completeness"},
                                    {"taps", "fc1"},
                                    {"bases", json::array({{{"kind", "pca"}}})},
                                    {"grid", {{"kind", "all"}}}}});
    const Outcome outcome = run_config(config);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const json steps = result()["steps"];
    EXPECT_EQ(steps[0]["top1"], 0.9);
    // Binary cross-entropy: softplus of minus the logit's sign.
    const at::Tensor signs = 2 * classes.to(at::kDouble) - 1;
    const double loss = at::log1p(at::exp(-signs * said.to(at::kDouble))).mean().item<double>();
    EXPECT_NEAR(steps[0]["loss"].get<double>(), loss, 1e-9);
    EXPECT_EQ(steps[1]["classes"], 2);
    EXPECT_EQ(steps[1]["taps"][0]["untouched"]["top1"], 0.9);
  }
}

/// Texts between ```json and ``` of a page.
std::vector<json> json_blocks(const std::string& page) {
  std::vector<json> blocks;
  const std::string begin = "```json\n";
  for (std::size_t at = page.find(begin); at != std::string::npos; at = page.find(begin, at + 1)) {
    const std::size_t from = at + begin.size();
    blocks.push_back(json::parse(page.substr(from, page.find("```", from) - from)));
  }
  return blocks;
}

TEST_F(Models, ExamplesOfTheDocsRun) {
  const std::vector<json> blocks =
      json_blocks(read(fs::path(DESCRAMBLE_SOURCE_DIR) / "docs" / "models.md"));
  ASSERT_GE(blocks.size(), 4U);
  for (const json& block : blocks) {
    const std::string name = fs::path(block.at("model").at("path").get<std::string>()).stem();
    const Fixture& subject = test::fixture(name);
    const bool batched = subject.facts.value("batched", true);
    NamedTensors tensors;
    std::vector<std::string> names;
    for (const auto& [input, tensor] : named_inputs(subject, 0)) {
      names.push_back(input);
      tensors[input] = batched ? at::cat({tensor, tensor.flip(0)}) : at::stack({tensor, tensor});
    }
    const fs::path data = at(name + ".safetensors");
    save_safetensors(data, tensors);
    json whole = {{"name", "docs"},
                  {"threads", 1},
                  {"data", {{"kind", "safetensors"}, {"path", data.string()}, {"inputs", names}}},
                  {"steps", json::array({{{"kind", "statistics"}, {"taps", "**"}}})}};
    whole["steps"][0]["taps"] = list_taps(subject.load()).at(1).name;
    whole.update(block);
    whole["model"]["path"] = subject.file().string();
    whole["data"]["path"] = data.string();
    fs::remove_all(at("out"));
    const Outcome outcome = run_config(whole);
    EXPECT_EQ(outcome.code, 0) << name << ": " << outcome.err;
  }
}

}  // namespace
}  // namespace descramble::test
