// The descramble step over objectives, layers and sides, from config to verified folder.

#include <ATen/ATen.h>

#include "cli/command.h"
#include "descramble/core/safetensors.h"
#include "descramble/objective/kinds.h"
#include "descramble/objective/objective.h"
#include "descramble/solver/kinds.h"
#include "descramble/solver/solver.h"

namespace descramble::test {

namespace {

class DescrambleStep : public CommandTest {
 protected:
  static json conv_config() {
    json config = small_config();
    config["dtype"] = "float64";
    config["model"] = {
        {"kind", "sequential"},
        {"input", {1, 28, 28}},
        {"layers",
         {{{"kind", "conv2d"}, {"name", "conv1"}, {"out", 6}, {"kernel", 5}, {"stride", 2}},
          {{"kind", "relu"}, {"name", "act1"}},
          {{"kind", "conv2d"}, {"name", "conv2"}, {"out", 9}, {"kernel", 3}, {"stride", 2}},
          {{"kind", "tanh"}, {"name", "act2"}},
          {{"kind", "flatten"}, {"name", "flatten"}},
          {{"kind", "linear"}, {"name", "fc"}, {"out", 10}}}}};
    return config;
  }

  json run_steps(json config, json steps) {
    config["steps"] = std::move(steps);
    const Outcome outcome = run_config(config, {"--force"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    if (outcome.code != 0) return json();
    said_ = outcome.out;
    const Outcome verified = command({"verify", at("out").string()});
    EXPECT_EQ(verified.code, 0) << verified.out;
    return json::parse(read(at("out/result.json")));
  }

  NamedTensors tensors() const { return load_safetensors(at("out/tensors.safetensors")); }

  std::string said_{};
};

double difference(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

// P2 W P1' of a linear layer and of a convolution, in the file and in the model.
TEST_F(DescrambleStep, TurnsBothSidesOfALayer) {
  struct Case {
    json config;
    std::string layer;
  };
  json mlp = small_config();
  mlp["dtype"] = "float64";
  for (const Case& one : {Case{mlp, "fc2"}, Case{conv_config(), "conv2"}}) {
    const json result =
        run_steps(one.config, json::array({{{"kind", "descramble"},
                                            {"tap", one.layer},
                                            {"position", "both"},
                                            {"objective", {{"kind", "smoothness"}}}}}));
    ASSERT_FALSE(result.is_null());
    const json& step = result["steps"][0];
    ASSERT_EQ(step["taps"].size(), 2u);
    EXPECT_EQ(step["taps"][0]["name"], one.layer + ".input");
    EXPECT_LE(step["certificate"]["inserted"].get<double>(), 1e-12);
    EXPECT_LE(step["certificate"]["exported"].get<double>(), 1e-12);
    const NamedTensors found = tensors();
    const std::string prefix = "steps.0." + one.layer;
    const at::Tensor w = found.at(prefix + ".input.weight");
    const at::Tensor p1 = found.at(prefix + ".input.rotation");
    const at::Tensor p2 = found.at(prefix + ".rotation");
    const at::Tensor turned = at::tensordot(p2, w, {1}, {0});
    const at::Tensor expected = at::tensordot(turned, p1, {1}, {1}).movedim(-1, 1);
    EXPECT_LE(difference(found.at(prefix + ".weight_descrambled"), expected), 1e-12);
  }
}

TEST_F(DescrambleStep, SeveralTapsAndStepsEndUpInOneModel) {
  for (const json& config : {small_config(), conv_config()}) {
    const bool conv = config["model"]["kind"] == "sequential";
    const std::string first = conv ? "conv1" : "fc1";
    const std::string second = conv ? "conv2" : "fc2";
    const double allowed = conv ? 1e-12 : 1e-5;
    const json result = run_steps(
        config,
        json::array({{{"kind", "descramble"},
                      {"taps", {first, second}},
                      {"objective", {{"kind", "quartimax"}}}},
                     {{"kind", "descramble"},
                      {"tap", second + ".input"},
                      {"objective", {{"kind", "maximum_diagonal_sum"}}}},
                     {{"kind", "descramble"},
                      {"tap", "act2"},
                      {"objective", {{"kind", "smoothness"}}},
                      {"solver", {{"kind", "riemannian_lbfgs"}, {"max_iterations", 30}}}}}));
    ASSERT_FALSE(result.is_null());
    double before = 0;
    for (const json& step : result["steps"]) {
      EXPECT_LE(step["certificate"]["inserted"].get<double>(), allowed);
      EXPECT_LE(step["certificate"]["exported"].get<double>(), allowed);
      EXPECT_EQ(step["folded"].size(), 2 * step["taps"].size());
      const bool maximised = step["objective"]["sense"] == "maximise";
      before = step["objective"]["before"];
      const double after = step["objective"]["after"];
      EXPECT_GT((after - before) * (maximised ? 1 : -1), 0) << step["objective"];
    }
    EXPECT_EQ(result["steps"][0]["solver"]["kind"], "generalized_power");
    EXPECT_EQ(result["steps"][1]["solver"]["kind"], "exact");
    EXPECT_THAT(said_, testing::HasSubstr("generalized_power"));
  }
}

// Every objective at the output and at the input of linear and convolution layers.
TEST_F(DescrambleStep, EveryObjectiveOnEverySide) {
  for (const json& config : {small_config(), conv_config()}) {
    const bool conv = config["model"]["kind"] == "sequential";
    for (const std::string& kind : objective_family().names()) {
      for (const char* position : {"before", "after"}) {
        const std::string layer = conv ? "conv2" : "fc2";
        json step = {{"kind", "descramble"},
                     {"tap", layer},
                     {"position", position},
                     {"objective", {{"kind", kind}}}};
        if (objective_needs(step["objective"]) == LayerNeeds::jacobians) {
          const bool before = position == std::string("before");
          step = {{"kind", "descramble"},
                  {"objective",
                   {{"kind", kind},
                    {"taps", {layer + ".input", layer}},
                    {"learn", before ? layer + ".input" : layer},
                    {"samples", 16}}},
                  {"solver", {{"kind", "annealed"}, {"max_iterations", 5}, {"starts", 2}}}};
        }
        const json result = run_steps(config, json::array({step}));
        ASSERT_FALSE(result.is_null()) << kind << " " << position;
        const json& tap = result["steps"][0]["taps"][0];
        EXPECT_LE(tap["certificate"]["orthogonality"].get<double>(), 1e-10) << kind;
        EXPECT_TRUE(result["steps"][0]["objective"]["before"].is_number());
        const json again = run_steps(config, result["config"]["steps"]);
        EXPECT_EQ(again["steps"][0]["taps"], result["steps"][0]["taps"])
            << "same config, same bytes";
      }
    }
  }
}

TEST_F(DescrambleStep, SmoothnessThroughAutogradAgrees) {
  const auto step = [](const char* route) {
    return json{{"kind", "descramble"},
                {"tap", "fc2"},
                {"objective", {{"kind", "smoothness"}, {"route", route}}},
                {"solver", {{"kind", "riemannian_lbfgs"}, {"max_iterations", 10}}}};
  };
  json config = small_config();
  config["dtype"] = "float64";
  const json closed =
      run_steps(config, json::array({step("closed_form")}))["steps"][0]["objective"];
  const json autograd = run_steps(config, json::array({step("autograd")}))["steps"][0]["objective"];
  EXPECT_NEAR(autograd["before"].get<double>(), closed["before"].get<double>(),
              1e-10 * closed["before"].get<double>());
  EXPECT_NEAR(autograd["after"].get<double>(), closed["after"].get<double>(),
              1e-6 * closed["after"].get<double>());
  EXPECT_TRUE(autograd["optimum"].is_null());
}

TEST_F(DescrambleStep, SaysWhatIsNotUnique) {
  json config = small_config();
  // 20 samples span at most 19 of 64 directions about their mean.
  config["data"]["train"]["count"] = 20;
  run_steps(config, config["steps"]);
  EXPECT_THAT(said_, testing::HasSubstr("of 64 directions"));
  EXPECT_THAT(said_, testing::HasSubstr("not unique"));
  // A layer of 64 inputs and 32 outputs, seen from its input: half of the directions are free.
  run_steps(config, json::array({{{"kind", "descramble"},
                                  {"tap", "fc2.input"},
                                  {"objective", {{"kind", "maximum_diagonal_sum"}}}}}));
  EXPECT_THAT(said_, testing::HasSubstr("rank 32 of 64"));
}

TEST_F(DescrambleStep, ComparesSolvers) {
  json solvers = json::array();
  const ObjectiveTraits smoothness = *objective_traits({{"kind", "smoothness"}});
  for (const SolverKind& kind : solver_kinds()) {
    if (kind.needs != nullptr && !(smoothness.*kind.needs)) continue;
    solvers.push_back({{"kind", kind.info.name}});
    for (const Field& field : kind.info.fields) {
      if (field.name == "max_iterations") solvers.back()[field.name] = 40;
      if (field.name == "starts") solvers.back()[field.name] = 2;
    }
  }
  const json result =
      run_steps(small_config(), json::array({{{"kind", "compare_solvers"},
                                              {"tap", "fc2"},
                                              {"objective", {{"kind", "smoothness"}}},
                                              {"solvers", solvers}}}));
  ASSERT_FALSE(result.is_null());
  const json& step = result["steps"][0];
  ASSERT_EQ(step["solvers"].size(), solvers.size());
  for (const json& solver : step["solvers"]) {
    EXPECT_GE(solver["excess"].get<double>(), -1e-12) << solver;
    EXPECT_GE(solver["worst_excess"].get<double>(), solver["excess"].get<double>());
    EXPECT_LT(solver["value"].get<double>(), step["objective"]["before"].get<double>());
  }
  EXPECT_FALSE(fs::exists(at("out/model.pt"))) << "nothing was rotated";
  const std::string table = read(at("out/convergence.csv"));
  EXPECT_EQ(table.substr(0, table.find('\n')), "step,tap,solver,start,iteration,value,excess");
  EXPECT_THAT(table, testing::HasSubstr("0,fc2,riemannian_lbfgs,1,"));
}

}  // namespace

}  // namespace descramble::test
