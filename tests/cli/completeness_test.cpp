// The completeness step, from config to curves.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <map>
#include <sstream>

#include <ATen/ATen.h>

#include "cli/command.h"
#include "descramble/core/random.h"
#include "descramble/core/safetensors.h"
#include "descramble/plot/figure.h"

namespace descramble::test {

namespace {

class CompletenessStep : public CommandTest {
 protected:
  static json step(const json& more = json::object()) {
    json result = {{"kind", "completeness"},
                   {"taps", "fc2"},
                   {"bases", json::array({{{"kind", "pca"}}, {{"kind", "neurons"}}})},
                   {"grid", {{"kind", "linear"}, {"points", 5}}}};
    result.update(more);
    return result;
  }
  static json config(const json& steps) {
    json result = small_config();
    result["steps"] = steps.is_array() ? steps : json::array({steps});
    return result;
  }
  /// The fixture "mlp" on vectors out of a file.
  json vectors(const at::Tensor& inputs, const at::Tensor& labels, const json& step) const {
    NamedTensors tensors{{"inputs", inputs}};
    if (labels.defined()) tensors["labels"] = labels;
    save_safetensors(at("vectors.safetensors"), tensors);
    json result = config(step);
    result["model"]["path"] = fixture("mlp.pt").string();
    result["data"] = {{"kind", "safetensors"},
                      {"path", at("vectors.safetensors").string()},
                      {"inputs", "inputs"},
                      {"batch_size", 8}};
    if (labels.defined()) result["data"]["labels"] = "labels";
    return result;
  }

  json result_of(const json& config, int step = 0) const {
    const Outcome outcome = run_config(config, {"--force"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    if (outcome.code != 0) return json();
    return json::parse(read(at("out/result.json")))["steps"][static_cast<std::size_t>(step)];
  }

  using Rows = std::vector<std::map<std::string, std::string>>;

  Rows curves() const {
    const std::string bytes = read(at("out/curves.csv"));
    EXPECT_EQ(bytes.substr(0, bytes.find('\n')),
              "step,tap,basis,draw,order,ablated,kept_variance,top1,top1_low,top1_high,top5,loss,"
              "relative_error,cosine");
    return csv("out/curves.csv");
  }

  /// AlexNet with its eight layers, in small, on glyphs. Its weights are drawn from the seed.
  static json small_alexnet(const std::string& positions) {
    json layers = json::array();
    const auto add = [&layers](const char* kind, const std::string& name, json fields) {
      fields.update({{"kind", kind}, {"name", name}});
      layers.push_back(std::move(fields));
    };
    const auto convolve = [&](int number, json fields, int pool) {
      const std::string n = std::to_string(number);
      add("conv2d", "conv" + n, std::move(fields));
      add("relu", "conv_act" + n, json::object());
      if (pool > 0) add("max_pool", "pool" + n, {{"kernel", pool}, {"stride", 2}});
    };
    convolve(1, {{"out", 8}, {"kernel", 7}, {"stride", 2}, {"padding", 2}}, 3);
    convolve(2, {{"out", 12}, {"kernel", 5}, {"padding", 2}}, 2);
    convolve(3, {{"out", 16}, {"kernel", 3}, {"padding", 1}}, 0);
    convolve(4, {{"out", 12}, {"kernel", 3}, {"padding", 1}}, 0);
    convolve(5, {{"out", 12}, {"kernel", 3}, {"padding", 1}}, 2);
    add("flatten", "flatten", json::object());
    for (int number = 1; number <= 2; ++number) {
      const std::string n = std::to_string(number);
      add("dropout", "drop" + n, json::object());
      add("linear", "fc" + n, {{"out", 24}});
      add("relu", "act" + n, json::object());
    }
    add("linear", "fc3", {{"out", 10}});
    json result = small_config();
    result["seed"] = 4;
    result["model"] = {{"kind", "sequential"}, {"input", {1, 28, 28}}, {"layers", layers}};
    result["steps"] = {{{"kind", "evaluate"}},
                       step({{"taps", alexnet_taps()},
                             {"positions", positions},
                             {"grid", {{"kind", "adaptive"}, {"points", 8}}}})};
    return result;
  }
  static std::vector<std::string> alexnet_taps() {
    return {"conv1", "conv2", "conv3", "conv4", "conv5", "fc1", "fc2", "fc3"};
  }

  /// Of a run with several draws of a random basis: how far the mean of the explained variance is
  /// from its share m/d at most, in standard errors of that mean.
  double worst_share(std::int64_t d, std::size_t draws) const {
    std::map<std::int64_t, std::vector<double>> explained;
    for (const auto& row : curves())
      explained[std::stoll(row.at("ablated"))].push_back(1 - std::stod(row.at("kept_variance")));
    double worst = 0;
    for (const auto& [ablated, shares] : explained) {
      EXPECT_EQ(shares.size(), draws);
      if (ablated == 0 || ablated == d) continue;
      const at::Tensor all = at::tensor(shares, at::kDouble);
      const double error = all.std().item<double>() / std::sqrt(static_cast<double>(draws));
      const double expected = static_cast<double>(ablated) / static_cast<double>(d);
      worst = std::max(worst, std::abs(all.mean().item<double>() - expected) / error);
    }
    EXPECT_GT(explained.size(), 4u);
    return worst;
  }
  static json random_draws() {
    return step({{"bases", json::array({{{"kind", "random"}, {"draws", 20}}})},
                 {"orders", {"given"}},
                 {"grid", {{"kind", "linear"}, {"points", 9}}}});
  }

  static json with(json config, const std::string& pointer, const json& value) {
    config[json::json_pointer(pointer)] = value;
    return config;
  }
};

TEST_F(CompletenessStep, GoesFromTheUntouchedScoreToOneEnd) {
  const json steps = json::array(
      {{{"kind", "evaluate"}},
       {{"kind", "descramble"}, {"tap", "fc2"}, {"objective", {{"kind", "smoothness"}}}},
       step({{"bases", json::array({{{"kind", "pca"}},
                                    {{"kind", "neurons"}},
                                    {{"kind", "random"}, {"draws", 2}},
                                    {{"kind", "step"}, {"step", 1}}})},
             {"orders", {"descending", "ascending", "given"}}})});
  const json evaluated = result_of(config(steps), 0);
  const json result = json::parse(read(at("out/result.json")))["steps"][2];
  const json& tap = result["taps"][0];
  EXPECT_EQ(tap["d"], 32);
  EXPECT_EQ(tap["untouched"]["top1"], evaluated["top1"]);
  EXPECT_EQ(tap["untouched"]["loss"], evaluated["loss"]);
  EXPECT_EQ(result["against"], "labels");
  EXPECT_EQ(result["classes"], 10);
  EXPECT_EQ(tap["bases"].size(), 5u);
  std::map<std::string, int> ends;
  for (const auto& row : curves()) {
    if (row.at("ablated") == "0") {
      EXPECT_EQ(std::stod(row.at("top1")), evaluated["top1"].get<double>());
      EXPECT_NEAR(std::stod(row.at("kept_variance")), 1, 1e-12);
    }
    if (row.at("ablated") == "32") {
      EXPECT_EQ(row.at("kept_variance"), "0");
      ++ends[row.at("top1") + " " + row.at("loss")];
    }
    EXPECT_LE(std::stod(row.at("top1_low")), std::stod(row.at("top1")));
    EXPECT_GE(std::stod(row.at("top1_high")), std::stod(row.at("top1")));
  }
  // T14: one end for all bases and orders.
  ASSERT_EQ(ends.size(), 1u);
  EXPECT_EQ(ends.begin()->second, 15);
  EXPECT_FALSE(tap["comparisons"].empty());
  for (const char* file : {"steps.2.fc2.accuracy.svg", "steps.2.fc2.variance.svg"})
    EXPECT_EQ(fs::exists(at("out") / file), can_draw());
  EXPECT_EQ(command({"verify", at("out").string()}).code, 0);
}

TEST_F(CompletenessStep, RepeatsItself) {
  json some = config(step({{"grid", {{"kind", "adaptive"}, {"points", 9}}}, {"positions", "one"}}));
  result_of(some);
  const std::string first = read(at("out/curves.csv"));
  result_of(some);
  EXPECT_EQ(read(at("out/curves.csv")), first);
  // Another size of batches: the same positions, the same curves.
  some["data"]["test"]["batch_size"] = 7;
  some["data"]["train"]["batch_size"] = 64;
  EXPECT_EQ(
      result_of(some)["taps"][0]["bases"][0]["components_80"],
      json::parse(read(at("out/result.json")))["steps"][0]["taps"][0]["bases"][0]["components_80"]);
}

TEST_F(CompletenessStep, RunsOnConvolutionsAxesAndSides) {
  json conv = small_config();
  conv["model"] = {
      {"kind", "sequential"},
      {"input", {1, 28, 28}},
      {"layers",
       {{{"kind", "conv2d"}, {"name", "conv"}, {"out", 6}, {"kernel", 5}, {"stride", 4}},
        {{"kind", "relu"}, {"name", "act"}},
        {{"kind", "flatten"}, {"name", "flatten"}},
        {{"kind", "linear"}, {"name", "fc"}, {"out", 10}}}}};
  for (const char* axis : {"features", "channels", "neurons"}) {
    for (const char* position : {"before", "after"}) {
      for (const char* positions : {"all", "one"}) {
        for (const char* ablate : {"mean", "zero"}) {
          conv["steps"] = json::array({step({{"taps", {"act"}},
                                             {"axis", axis},
                                             {"position", position},
                                             {"positions", positions},
                                             {"ablate", ablate}})});
          const json tap = result_of(conv)["taps"][0];
          const std::string expected = std::string(position) == "before" ? "act.input" : "act";
          EXPECT_EQ(tap["name"], expected);
          const std::int64_t rows =
              std::string(positions) == "one" || std::string(axis) == "neurons"
                  ? 300
                  : 300 * (std::string(axis) == "channels" ? 36 : 36);
          EXPECT_EQ(tap["rows"], rows) << axis;
        }
      }
    }
  }
}

TEST_F(CompletenessStep, RunsOnTheEightLayersOfAlexNet) {
  std::map<std::string, std::string> spectra;
  for (const std::string positions : {"all", "one"}) {
    SCOPED_TRACE(positions);
    const json some = small_alexnet(positions);
    const json evaluated = result_of(some, 0);
    const std::string result_bytes = read(at("out/result.json"));
    const json result = json::parse(result_bytes)["steps"][1];
    const std::string curves_bytes = read(at("out/curves.csv"));
    spectra[positions] = read(at("out/spectrum.csv"));
    const std::vector<std::int64_t> sizes{8, 12, 16, 12, 12, 24, 24, 10};
    const std::vector<std::int64_t> places{169, 36, 9, 9, 9, 1, 1, 1};
    ASSERT_EQ(result["taps"].size(), sizes.size());
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      const json& tap = result["taps"][i];
      const std::string name = alexnet_taps()[i];
      EXPECT_EQ(tap["name"], name);
      EXPECT_EQ(tap["d"], sizes[i]);
      EXPECT_EQ(tap["rows"], 300 * (positions == "one" ? 1 : places[i])) << name;
      EXPECT_EQ(tap["untouched"]["top1"], evaluated["top1"]);
      EXPECT_EQ(tap["untouched"]["loss"], evaluated["loss"]);
      std::map<std::string, int> ends;
      std::map<std::string, double> kept;
      for (const auto& row : curves()) {
        if (row.at("tap") != name) continue;
        const std::string curve = row.at("basis") + " " + row.at("order");
        if (row.at("ablated") == "0")
          EXPECT_EQ(std::stod(row.at("loss")), evaluated["loss"].get<double>());
        else
          EXPECT_LE(std::stod(row.at("kept_variance")), kept.at(curve)) << name << " " << curve;
        kept[curve] = std::stod(row.at("kept_variance"));
        if (row.at("ablated") == std::to_string(sizes[i]))
          ++ends[row.at("top1") + " " + row.at("top5") + " " + row.at("loss")];
      }
      // T14: pca and neurons in two orders, one end.
      ASSERT_EQ(ends.size(), 1u) << name;
      EXPECT_EQ(ends.begin()->second, 4) << name;
      for (const char* figure : {".accuracy.svg", ".variance.svg"})
        EXPECT_EQ(fs::exists(at("out") / ("steps.1." + name + figure)), can_draw());
    }
    result_of(some);
    EXPECT_EQ(read(at("out/result.json")), result_bytes);
    EXPECT_EQ(read(at("out/curves.csv")), curves_bytes);
    EXPECT_EQ(read(at("out/spectrum.csv")), spectra[positions]);
    EXPECT_EQ(command({"verify", at("out").string()}).code, 0);
  }
  EXPECT_NE(spectra["all"], spectra["one"]);
}

// Of random directions in drawn order m of d explain m/d on the average over the draws.
TEST_F(CompletenessStep, RandomDirectionsExplainTheirShare) {
  const json result = result_of(config(random_draws()));
  EXPECT_EQ(result["taps"][0]["bases"].size(), 20u);
  EXPECT_LT(worst_share(32, 20), 3);
}

// 32 x 32 directions are 8 KiB: 130 draws are more than 1 MiB, and go in two passes.
TEST_F(CompletenessStep, DrawsThatDoNotFitIntoMemoryTogetherGiveTheSameCurves) {
  json many = config(
      step({{"bases", json::array({{{"kind", "random"}, {"draws", 130}}, {{"kind", "pca"}}})},
            {"grid", {{"kind", "adaptive"}, {"points", 4}}}}));
  const json together = result_of(many);
  const std::string curves = read(at("out/curves.csv"));
  many["memory_mb"] = 1;
  EXPECT_EQ(result_of(many), together);
  EXPECT_EQ(read(at("out/curves.csv")), curves);
}

class CompletenessOnMnist : public CompletenessStep {};

TEST_F(CompletenessOnMnist, RandomDirectionsExplainTheirShare) {
  if (std::getenv("DESCRAMBLE_DATA") == nullptr) GTEST_SKIP() << "DESCRAMBLE_DATA is not set";
  json mnist = config(random_draws());
  const auto split = [](const char* name) {
    return json{{"kind", "idx"},
                {"images", std::string("mnist/") + name + "-images-idx3-ubyte.gz"},
                {"labels", std::string("mnist/") + name + "-labels-idx1-ubyte.gz"},
                {"limit", 2000}};
  };
  mnist["data"] = {{"train", split("train")}, {"test", split("t10k")}};
  const json result = result_of(mnist);
  EXPECT_EQ(result["taps"][0]["rows"], 2000);
  EXPECT_LT(worst_share(32, 20), 3);
}

TEST_F(CompletenessStep, WithoutLabelsHoldsAgainstTheUntouchedModel) {
  at::manual_seed(1);
  const at::Tensor inputs = at::randn({30, 8});
  const json by_output = result_of(vectors(inputs, {}, step({{"taps", "fc1"}})));
  EXPECT_EQ(by_output["against"], "untouched output");
  EXPECT_EQ(by_output["taps"][0]["untouched"]["relative_error"], 0);
  EXPECT_NEAR(by_output["taps"][0]["untouched"]["cosine"].get<double>(), 1, 1e-6);
  EXPECT_GT(by_output["taps"][0]["all_ablated"]["relative_error"].get<double>(), 0.1);
  for (const json& order : by_output["taps"][0]["bases"][0]["orders"]) {
    EXPECT_GT(order["area"].get<double>(), 0);
    EXPECT_LT(order["area"].get<double>(), 1);
  }
  const json result =
      result_of(vectors(inputs, {}, step({{"taps", "fc1"}, {"reference", "class"}})));
  EXPECT_EQ(result["against"], "untouched class");
  EXPECT_EQ(result["taps"][0]["untouched"]["top1"], 1);
  EXPECT_LT(result["taps"][0]["all_ablated"]["top1"].get<double>(), 1);
  EXPECT_GT(result["taps"][0]["all_ablated"]["loss"].get<double>(),
            result["taps"][0]["untouched"]["loss"].get<double>());
}

TEST_F(CompletenessStep, OneClassOnlyIsAnAnswer) {
  at::manual_seed(1);
  const json result =
      result_of(vectors(at::randn({30, 8}), at::zeros({30}, at::kLong), step({{"taps", "fc1"}})));
  const double end = result["taps"][0]["all_ablated"]["top1"];
  EXPECT_TRUE(end == 0 || end == 1) << "one prediction for all";
}

TEST_F(CompletenessStep, SaysWhenSamplesAreTooFew) {
  json few = config(step());
  few["data"]["train"]["count"] = 20;
  const json result = result_of(few);
  EXPECT_THAT(result["warnings"].dump(), testing::HasSubstr("20 rows for d = 32, at most 19"));
  EXPECT_FALSE(result["taps"][0]["all_ablated"].is_null());
}

TEST_F(CompletenessStep, TakesABasisFromAFile) {
  save_safetensors(at("basis.safetensors"), {{"Q", at::eye(32, at::kDouble)},
                                             {"part", at::eye(32, at::kDouble).slice(1, 0, 4)},
                                             {"wrong", at::eye(31, at::kDouble)},
                                             {"skew", at::eye(32, at::kDouble) * 1.5}});
  const auto basis = [&](const std::string& name) {
    return step({{"bases", json::array({{{"kind", "tensor"},
                                         {"path", at("basis.safetensors").string()},
                                         {"name", name}},
                                        {{"kind", "neurons"}}})}});
  };
  const json result = result_of(config(basis("Q")));
  EXPECT_EQ(result["taps"][0]["bases"][0]["orders"], result["taps"][0]["bases"][1]["orders"]);
  const json inputs = json::parse(read(at("out/result.json")))["inputs"];
  EXPECT_EQ(inputs.back()["role"], "steps.0 basis");
  const json partial = result_of(config(basis("part")));
  EXPECT_EQ(partial["taps"][0]["bases"][0]["directions"], 4);
  EXPECT_TRUE(partial["taps"][0]["bases"][0]["orders"][0]["area"].is_null());
  fs::remove_all(at("out"));
  expect_refused(run_config(config(basis("wrong"))),
                 {"/steps/0", "/bases/0", "wrong size", "32 x k", "31 x 31", "tap 'fc2'"});
  expect_refused(run_config(config(basis("skew"))),
                 {"/bases/0", "not orthonormal", "1.25 off at entry (0, 0)"});
  expect_refused(run_config(config(basis("absent"))), {"/bases/0/name", "'absent'"});
}

TEST_F(CompletenessStep, RefusesBadSteps) {
  const auto from_step = [&](int number) {
    return step({{"bases", json::array({{{"kind", "step"}, {"step", number}}})}});
  };
  const json evaluate = {{"kind", "evaluate"}};
  const json descramble = {
      {"kind", "descramble"}, {"tap", "fc1"}, {"objective", {{"kind", "smoothness"}}}};
  expect_refused(run_config(config(from_step(0))), {"/steps/0", "/bases/0/step", "has not run"});
  expect_refused(run_config(config({evaluate, from_step(5)})), {"/steps/1", "0 to 0", "5"});
  expect_refused(run_config(config({evaluate, from_step(0)})), {"rotates nothing", "'evaluate'"});
  expect_refused(run_config(config({descramble, from_step(0)})),
                 {"/steps/1", "'fc1' of step 0", "'fc2' of step 0"});
  expect_refused(run_config(config(step({{"grid", {{"kind", "linear"}, {"points", 2}}}}))),
                 {"/steps/0/grid/points"});
  expect_refused(run_config(config(step({{"taps", "fc9"}}))), {"/steps/0", "fc9", "fc1"});
  expect_refused(run_config(config(step({{"bases", json::array()}}))), {"/steps/0/bases"});
  expect_refused(run_config(config(step({{"orders", json::array()}}))), {"/steps/0/orders"});
  expect_refused(run_config(config(step({{"orders", {"given", "ascending", "given"}}}))),
                 {"/steps/0", "/orders/0", "twice", "'given'"});
}

TEST_F(CompletenessStep, RefusesTapsWhoseShapeChangesFromBatchToBatch) {
  RandomStream random = random_stream(1, "test/completeness/shapes");
  at::Tensor alike = random.normal_tensor({30, 8}).to(at::kFloat);
  alike.select(1, 0).fill_(-1);
  at::Tensor other = alike.clone();
  other.slice(0, 17).select(1, 0).fill_(1);  // the third and fourth batch of eight begin with it
  const at::Tensor labels = at::arange(30, at::kLong).remainder(3);
  const auto on = [&](const char* tap, const at::Tensor& train, const at::Tensor& test) {
    json result = vectors(train, labels, step({{"taps", tap}}));
    result["model"]["path"] = fixture("varying_shape.pt").string();
    save_safetensors(at("test.safetensors"), {{"inputs", test}, {"labels", labels}});
    json held_out = result["data"];
    held_out["path"] = at("test.safetensors").string();
    result["data"] = {{"train", result["data"]}, {"test", held_out}};
    return run_config(result);
  };
  // Of the directions, and of the places alone.
  expect_refused(on("act", other, other), {"another length", "tap 'act', batch 3", "12", "6"});
  expect_refused(on("act", alike, other), {"changes", "tap 'act', batch 3", "12 for", "6x6"});
  expect_refused(on("places", other, other), {"changes", "tap 'places', batch 3", "2x3", "6x3x3"});
  expect_refused(on("places", alike, other), {"changes", "tap 'places', batch 3", "2x3", "6x3x3"});
  EXPECT_FALSE(fs::exists(at("out")));
  EXPECT_EQ(on("act", alike, alike).code, 0);
}

TEST_F(CompletenessStep, RefusesWhatCannotBeCutOrIsNotFinite) {
  json branch =
      vectors(at::randn({30, 8}).abs(), at::zeros({30}, at::kLong), step({{"taps", "tanh"}}));
  branch["model"]["path"] = fixture("if_branch.pt").string();
  expect_refused(run_config(branch), {"tanh", "`if` and `loop`"});
  at::Tensor inputs = at::randn({30, 8});
  inputs[21][3] = std::numeric_limits<float>::quiet_NaN();
  expect_refused(run_config(vectors(inputs, at::zeros({30}, at::kLong), step({{"taps", "fc1"}}))),
                 {"non-finite", "tap 'fc1'", "batch 2"});
  // In the data of the curves alone.
  json apart = vectors(at::randn({30, 8}), at::zeros({30}, at::kLong), step({{"taps", "fc1"}}));
  save_safetensors(at("test.safetensors"),
                   {{"inputs", inputs}, {"labels", at::zeros({30}, at::kLong)}});
  json held_out = apart["data"];
  held_out["path"] = at("test.safetensors").string();
  apart["data"] = {{"train", apart["data"]}, {"test", held_out}};
  expect_refused(run_config(apart), {"non-finite", "tap 'fc1'", "batch 2"});
  EXPECT_FALSE(fs::exists(at("out")));
  expect_refused(
      run_config(vectors(at::zeros({30, 8}), at::zeros({30}, at::kLong), step({{"taps", "fc1"}}))),
      {"no variance", "tap 'fc1'"});
}

}  // namespace

}  // namespace descramble::test
