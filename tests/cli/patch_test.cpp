#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/zeros.h>

#include "cli/command.h"
#include "descramble/core/safetensors.h"
#include "descramble/data/kinds.h"
#include "descramble/model/kinds.h"
#include "descramble/taps/tapped_model.h"

namespace descramble::test {

namespace {

/// A captured run of a model in "captured", patched into the same model in "out".
class Patch : public CommandTest {
 protected:
  static constexpr int samples = 60;

  /// In batches that do not divide the number of samples.
  static json config(const json& steps = json::array()) {
    json result = small_config();
    for (const char* split : {"train", "test"})
      result["data"][split] = {{"kind", "glyphs"}, {"count", samples}, {"batch_size", 32}};
    result["steps"] = steps.is_array() ? steps : json::array({steps});
    return result;
  }
  static json convolution() {
    return {{"kind", "sequential"},
            {"input", {1, 28, 28}},
            {"layers",
             {{{"kind", "conv2d"}, {"name", "conv"}, {"out", 3}, {"kernel", 5}, {"stride", 3}},
              {{"kind", "tanh"}, {"name", "act"}},
              {{"kind", "flatten"}},
              {{"kind", "linear"}, {"name", "fc"}, {"out", 10}}}}};
  }

  void capture(json config, const std::string& data, const json& taps = "**") const {
    config["steps"] =
        json::array({{{"kind", "capture"}, {"taps", taps}, {"limit", samples}, {"data", data}}});
    write("capture.json", config.dump());
    const Outcome outcome =
        command({"run", at("capture.json").string(), "--out", at("captured").string(), "--force"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
  }
  json patch(const std::string& tap, const json& more = json::object()) const {
    json step = {{"kind", "patch"}, {"tap", tap}, {"capture", at("captured").string()}};
    step.update(more);
    return step;
  }
  json patched(const json& config) const {
    const Outcome outcome = run_config(config, {"--force"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return outcome.code == 0 ? json::parse(read(at("out/result.json"))) : json();
  }
  NamedTensors tensors(const std::string& folder) const {
    return load_safetensors(at(folder) / "tensors.safetensors");
  }
};

TEST_F(Patch, OwnValuesChangeNoBit) {
  for (const char* dtype : {"float32", "float64"}) {
    for (const bool convolves : {false, true}) {
      json base = config();
      base["dtype"] = dtype;
      if (convolves) base["model"] = convolution();
      capture(base, "test");
      json steps = json::array();
      for (const auto& [name, tensor] : tensors("captured")) {
        if (!name.ends_with(".values")) continue;
        const std::string tap = name.substr(8, name.size() - 15);
        for (const json& units : {json(), json::array({0})}) {
          steps.push_back(patch(tap, {{"units", units}}));
          if (!units.is_null())
            steps.push_back(patch(tap, {{"units", {3, 1}}, {"axis", "neurons"}}));
        }
      }
      ASSERT_GE(steps.size(), 15U);
      base["steps"] = steps;
      const json result = patched(base);
      const NamedTensors written = tensors("out");
      for (std::size_t i = 0; i < steps.size(); ++i) {
        SCOPED_TRACE(steps[i].dump());
        const json& step = result.at("steps").at(i);
        EXPECT_EQ(step["before"], step["after"]);
        EXPECT_EQ(step["agreement"], 1);
        EXPECT_EQ(step["count"], samples);
        EXPECT_EQ(step["donor"]["loss"], step["before"]["loss"]);
        EXPECT_EQ(step["warnings"], json::array());
        const std::string prefix = "steps." + std::to_string(i);
        EXPECT_TRUE(
            at::equal(written.at(prefix + ".before.logits"), written.at(prefix + ".after.logits")));
      }
    }
  }
}

TEST_F(Patch, AtTheOutputGivesTheDonorsLogits) {
  capture(config(), "train", "output");
  const json result = patched(config({{{"kind", "evaluate"}, {"data", "train"}},
                                      {{"kind", "evaluate"}, {"data", "test"}},
                                      patch("output")}));
  EXPECT_TRUE(at::equal(tensors("out").at("steps.2.after.logits"),
                        tensors("captured").at("steps.0.output.values")));
  const json& step = result["steps"][2];
  EXPECT_EQ(step["donor"]["top1"], result["steps"][0]["top1"]);
  EXPECT_EQ(step["donor"]["loss"], result["steps"][0]["loss"]);
  for (const char* figure : {"top1", "top5", "loss"})
    EXPECT_EQ(step["before"][figure], result["steps"][1][figure]);
  EXPECT_LT(step["after"]["top1"].get<double>(), 0.5);  // another digit's logits
  EXPECT_LT(step["agreement"].get<double>(), 0.5);
}

TEST_F(Patch, OfUnitsIsReplacingThemByHand) {
  json base = config();
  base["model"] = convolution();
  capture(base, "train");
  struct Case {
    std::string tap;
    std::string axis;
    std::vector<std::int64_t> units;
  };
  const Model model =
      open_model(resolve_kind(model_family(), base["model"], "/model"), {1, "cpu", {}}).model;
  const Source source = open_source(resolve_kind(source_family(), base["data"]["test"], "/data"),
                                    {1, {}, "test", "/data"});
  const NamedTensors captured = tensors("captured");
  for (const Case& one : std::vector<Case>{{"conv", "channels", {1}},
                                           {"conv", "features", {0, 4}},
                                           {"act", "neurons", {7, 100}},
                                           {"fc", "features", {9}}}) {
    SCOPED_TRACE(one.tap + " " + one.axis);
    base["steps"] = json::array({patch(one.tap, {{"axis", one.axis}, {"units", one.units}})});
    patched(base);
    const at::Tensor donor = captured.at("steps.0." + one.tap + ".values");
    const TappedModel tapped = tap_model(model, {one.tap});
    const at::NoGradGuard no_grad;
    std::int64_t begin = 0;
    const Watch watch = tapped.replace(one.tap, [&](const at::Tensor& value) {
      const at::Tensor rows = donor.slice(0, begin, begin + value.size(0));
      at::Tensor result = value.clone();
      for (const std::int64_t unit : one.units) {
        if (one.axis == "neurons") {
          result.view({value.size(0), -1}).select(1, unit).copy_(rows.flatten(1).select(1, unit));
        } else {
          const std::int64_t dim = one.axis == "channels" ? 1 : value.dim() - 1;
          result.select(dim, unit).copy_(rows.select(dim, unit));
        }
      }
      return result;
    });
    for (; begin < samples; begin += 32) {
      const std::int64_t end = std::min<std::int64_t>(samples, begin + 32);
      const at::Tensor by_hand = tapped.forward(source.data->slice(begin, end).inputs);
      const at::Tensor found = tensors("out").at("steps.0.after.logits").slice(0, begin, end);
      EXPECT_TRUE(at::equal(by_hand, found));
    }
    EXPECT_FALSE(at::equal(tensors("out").at("steps.0.before.logits"),
                           tensors("out").at("steps.0.after.logits")));
  }
}

TEST_F(Patch, RecordsTheCapture) {
  capture(config(), "train", "fc1");
  const json result = patched(config(patch("fc1")));
  const json& input = result["inputs"].back();
  EXPECT_EQ(input["role"], "steps.0 capture");
  EXPECT_EQ(input["path"], at("captured/tensors.safetensors").string());
  EXPECT_EQ(input["sha256"], json::parse(read(at("captured/result.json")))["files"][0]["sha256"]);
  EXPECT_EQ(command({"verify", at("out").string()}).code, 0);
}

TEST_F(Patch, IsFoundBesideTheConfigAndTakesFewerRows) {
  save_safetensors(at("rows.safetensors"), {{"fc1.values", at::rand({7, 64})}});
  json step = patch("fc1");
  step["capture"] = "rows.safetensors";
  const json result = patched(config(step));
  EXPECT_EQ(result["steps"][0]["count"], 7);
  EXPECT_EQ(result["steps"][0]["tensor"], "fc1.values");
  EXPECT_FALSE(result["steps"][0].contains("donor"));
}

TEST_F(Patch, ConvertsBetweenSingleAndDoubleAndSaysSo) {
  for (const at::ScalarType donor : {at::kFloat, at::kDouble}) {
    save_safetensors(at("captured"), {{"fc1.values", at::rand({7, 64}, donor)}});
    for (const char* model : {"float32", "float64"}) {
      json base = config(patch("fc1"));
      base["dtype"] = model;
      const bool same = dtype_name(donor) == model;
      EXPECT_EQ(patched(base)["steps"][0]["warnings"].size(), same ? 0U : 1U);
    }
  }
}

// ---- Wrong use
// -----------------------------------------------------------------------------------

TEST_F(Patch, RefusesWhatDoesNotFit) {
  json base = config();
  base["steps"] = {{{"kind", "capture"}, {"taps", {"fc1", "fc2"}}, {"limit", 8}},
                   {{"kind", "capture"}, {"taps", "fc2"}, {"limit", 8}}};
  write("capture.json", base.dump());
  ASSERT_EQ(command({"run", at("capture.json").string(), "--out", at("captured").string()}).code,
            0);
  save_safetensors(at("odd"), {{"long", at::rand({samples + 1, 64})},
                               {"half", at::rand({8, 64}).to(at::kHalf)},
                               {"whole", at::rand({8, 64}).to(at::kInt)},
                               {"empty", at::rand({0, 64})},
                               {"scalar", at::rand({})}});
  const auto odd = [&](const char* name) {
    return patch("fc1", {{"capture", at("odd").string()}, {"tensor", name}});
  };
  const std::vector<std::pair<json, std::vector<std::string>>> cases = {
      {patch("fc1", {{"capture", "nowhere"}}), {"'nowhere'", "/steps/0 (patch), capture"}},
      {patch("fc1", {{"capture", at("capture.json").string()}}), {"not a safetensors file"}},
      {patch("fc9"), {"unknown tap 'fc9'", "/steps/0", "'fc1'"}},
      {patch("fc*"), {"one tap", "'fc1', 'fc2', 'fc3'"}},
      {patch("act1"),
       {"no values of tap 'act1'", "'steps.0.fc1.values', 'steps.0.fc2.values'", "'tensor'"}},
      {patch("fc2"),
       {"several values of tap 'fc2'", "'steps.0.fc2.values', 'steps.1.fc2.values'", "'tensor'"}},
      {patch("fc1", {{"tensor", "steps.0.fc1.value"}}), {"no tensor", "'steps.0.fc1.values'"}},
      {patch("fc2", {{"tensor", "steps.0.fc1.values"}}),
       {"tap 'fc2'", "shape [32]", "[64] in 'steps.0.fc1.values'"}},
      {patch("fc1", {{"tensor", "steps.0.labels"}}), {"tap 'fc1'", "shape [64]", "[]"}},
      {odd("long"), {"more rows", "'long'", "at most 60", "found 61"}},
      {odd("half"), {"tap 'fc1'", "float32", "float16 in 'half'"}},
      {odd("whole"), {"tap 'fc1'", "float32", "int32 in 'whole'"}},
      {odd("empty"), {"no rows in 'empty'"}},
      {odd("scalar"), {"no rows in 'scalar'"}},
      {patch("fc1", {{"units", {3, 64}}}), {"no such unit", "0 to 63", "'features'", "found 64"}},
      {patch("fc1", {{"units", json::array()}}), {"units", "at least one"}},
      {patch("fc1", {{"units", {-1}}}), {"/steps/0/units/0", ">= 0", "-1"}},
      {patch("fc1", {{"units", {1}}, {"axis", "rows"}}), {"/steps/0/axis"}}};
  for (const auto& [step, parts] : cases) {
    SCOPED_TRACE(step.dump());
    expect_refused(run_config(config(step)), parts);
    EXPECT_FALSE(fs::exists(at("out")));
  }
}

TEST_F(Patch, RefusesACaptureWhoseLabelsDoNotFit) {
  for (const at::Tensor& labels :
       {at::zeros({6}, at::kLong), at::zeros({8}, at::kLong), at::zeros({}, at::kLong)}) {
    save_safetensors(at("captured"),
                     {{"steps.0.fc1.values", at::rand({7, 64})}, {"steps.0.labels", labels}});
    expect_refused(run_config(config(patch("fc1"))), {"'steps.0.labels'", "7 labels"});
  }
}

TEST_F(Patch, NeedsLabels) {
  save_safetensors(at("captured"), {{"fc1.values", at::rand({3, 6})}});
  json base = config(patch("fc1"));
  base["model"]["path"] = fixture("mlp.pt").string();
  base["data"] = vector_data();
  base["data"].erase("labels");
  expect_refused(run_config(base), {"/data", "labels"});
}

TEST_F(Patch, RefusesATapThatFiresSeveralTimes) {
  save_safetensors(at("captured"), {{"any", at::rand({3, 8})}});
  json base = config();
  base["model"]["path"] = fixture("for_loop.pt").string();
  base["data"] = vector_data();
  const json taps = json::parse(
      command({"taps", fixture("for_loop.pt").string(), "--input", "3,8", "--json"}).out)["taps"];
  int refused = 0;
  for (const json& tap : taps) {
    if (tap["fired"] <= 1 || tap["shape"] != json::array({3, 8})) continue;
    base["steps"] = json::array({patch(tap["name"], {{"tensor", "any"}})});
    expect_refused(run_config(base), {"fires several times", tap["name"]});
    ++refused;
  }
  EXPECT_GT(refused, 0);
}

}  // namespace

}  // namespace descramble::test
