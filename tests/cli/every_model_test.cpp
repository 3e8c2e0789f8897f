// The command over all fixtures and kinds of steps: it runs, or says in one line why not; it leaves
// no trace in exported models; figures do not depend on the batch size unless it says so.

#include <map>

#include <ATen/ops/cat.h>
#include <ATen/ops/stack.h>

#include "cli/command.h"
#include "descramble/core/safetensors.h"
#include "descramble/model/arguments.h"
#include "descramble/taps/export.h"
#include "descramble/taps/point.h"
#include "model/fixtures.h"
#include "model/held.h"
#include "torchscript/torchscript.h"

namespace descramble::test {
namespace {

using ::testing::HasSubstr;

/// Refusals that are right, by fixture and kind of step ("*": all of them).
const std::map<std::pair<std::string, std::string>, std::string> refusals = {
    {{"batch_norm_moving_traced", "jacobian"}, "samples of a batch are mixed"},
    {{"batch_statistics", "jacobian"}, "samples of a batch are mixed"},
    {{"bool_output", "jacobian"}, "no Jacobian at tap 'output'"},
    {{"force", "jacobian"}, "no path with a derivative"},
    {{"functional_dropout", "descramble"}, "draws random numbers"},
    {{"functional_dropout", "jacobian"}, "random numbers"},
    {{"hook_of_child", "descramble"}, "scripted hooks cannot be exported"},
    {{"inplace_relu_functional", "jacobian"}, "autograd cannot follow the network"},
    {{"nested_output", "*"}, "cannot take the logits"},
    {{"no_grad_block", "jacobian"}, "no path with a derivative"},
    {{"odd_values", "jacobian"}, "no Jacobian at tap"},
    {{"one_batch_size_traced", "jacobian"}, "one batch size"},
    {{"quantized", "jacobian"}, "no path with a derivative"},
    {{"quantized_output", "jacobian"}, "no Jacobian at tap 'output'"},
    {{"quantized_values", "jacobian"}, "no path with a derivative"},
    {{"recurrent_policy", "jacobian"}, "samples of a batch are mixed"},
    {{"while_loop", "jacobian"}, "no path with a derivative"},
    {{"whole_output", "jacobian"}, "no Jacobian at tap 'output'"}};

class EveryModel : public CommandTest, public ::testing::WithParamInterface<std::string> {
 protected:
  const Fixture& subject() const { return fixtures_entry(GetParam()); }
  static const Fixture& fixtures_entry(const std::string& name) { return test::fixture(name); }
  bool batched() const { return subject().facts.value("batched", true); }

  /// Three batches of example inputs in one file.
  json data(std::int64_t batch_size) const {
    NamedTensors tensors;
    std::vector<std::string> names;
    std::map<std::string, std::vector<at::Tensor>> parts;
    for (std::uint64_t variant = 0; variant < 3; ++variant) {
      for (auto& [name, tensor] : named_inputs(subject(), 2 * variant)) {
        if (variant == 0) names.push_back(name);
        parts[name].push_back(tensor);
      }
    }
    for (const std::string& name : names)
      tensors[name] = batched() ? at::cat(parts[name]) : at::stack(parts[name]);
    save_safetensors(at("data.safetensors"), tensors);
    json source = {{"kind", "safetensors"},
                   {"path", at("data.safetensors").string()},
                   {"inputs", names},
                   {"batch_size", batch_size}};
    if (!batched()) source["batch_size"] = nullptr;
    return source;
  }

  std::int64_t usual_batch() const {
    return batched() ? named_inputs(subject(), 0).front().second.size(0) : 1;
  }

  json model() const {
    json result = {{"kind", "torchscript"}, {"path", subject().file().string()}};
    const std::string output = subject().load().description().output;
    if (output.starts_with("Tuple") || output.starts_with("List")) result["output"] = 0;
    if (output.starts_with("Dict")) result["output"] = "logits";
    if (subject().facts.contains("arguments")) result["arguments"] = subject().facts["arguments"];
    if (!batched()) result["batched"] = false;
    return result;
  }

  /// Floating-point values with samples in front that a pass certainly reaches: those of modules
  /// where there are any.
  std::vector<std::string> taps() const {
    std::vector<std::string> modules;
    std::vector<std::string> operators;
    for (const TapReading& reading : read_taps(subject().load(), subject().inputs())) {
      const bool floats = reading.dtype.starts_with("float") || reading.dtype.starts_with("bfloat");
      const bool rows =
          !batched() || (reading.sizes.size() > 1 && reading.sizes[0] == usual_batch());
      if (reading.point.in_control_flow || !floats || reading.fired != 1 || !rows) continue;
      if (reading.point.kind == "module") modules.push_back(reading.point.name);
      if (reading.point.kind == "operator" && !reading.sizes.empty())
        operators.push_back(reading.point.name);
    }
    return modules.empty() ? operators : modules;
  }
  std::string tap() const { return taps().empty() ? "" : taps().front(); }

  /// Where a Jacobian may lead to; empty: nowhere behind the first tap.
  std::string end() const {
    const std::vector<TapPoint> points = list_taps(subject().load());
    if (points.back().kind == "output") return "output";
    return taps().size() > 1 ? taps().back() : "";
  }

  json config(const json& step, std::int64_t batch_size) const {
    return {{"name", "every"},
            {"threads", 1},
            {"model", model()},
            {"data", data(batch_size)},
            {"steps", json::array({step})}};
  }

  /// Runs, or is refused in the way that is written down; whether it ran.
  bool runs(const json& step, std::int64_t batch_size) {
    fs::remove_all(at("out"));
    const Outcome outcome = run_config(config(step, batch_size));
    const std::string kind = step.at("kind");
    auto refusal = refusals.find({GetParam(), kind});
    if (refusal == refusals.end()) refusal = refusals.find({GetParam(), "*"});
    if (refusal == refusals.end()) {
      EXPECT_EQ(outcome.code, 0) << kind << ": " << outcome.err;
    } else {
      expect_refused(outcome, {refusal->second});
    }
    return outcome.code == 0;
  }

  json result() const { return json::parse(read(at("out") / "result.json")); }
};

TEST_P(EveryModel, RunsEachKindOfStepAndLeavesNoTrace) {
  const std::string name = tap();
  if (name.empty()) return;  // no floating-point value that is surely reached
  const std::int64_t batch = usual_batch();
  runs({{"kind", "statistics"}, {"taps", name}}, batch);
  runs({{"kind", "capture"}, {"taps", name}}, batch);
  runs({{"kind", "completeness"},
        {"taps", name},
        {"bases", json::array({{{"kind", "pca"}}})},
        {"grid", {{"kind", "linear"}, {"points", 3}}}},
       batch);
  if (!end().empty()) runs({{"kind", "jacobian"}, {"from", name}, {"to", end()}}, batch);
  if (!runs({{"kind", "descramble"}, {"tap", name}, {"objective", {{"kind", "smoothness"}}}},
            batch))
    return;
  const Outcome verified =
      command({"verify", at("out").string(), "--model", subject().file().string()});
  EXPECT_EQ(verified.code, 0) << verified.out << verified.err;

  const Model original = subject().load();
  const Model exported = load_model(at("out") / "model.pt");
  const auto before = held_by(original);
  const auto after = held_by(exported);
  for (const std::string& path : subject().facts.value("writes", std::vector<std::string>())) {
    ASSERT_TRUE(after.contains(path)) << path;
    EXPECT_TRUE(bit_equal(before.at(path), after.at(path))) << path;
  }
  EXPECT_EQ(torchscript_of(original).training, torchscript_of(exported).training);
  EXPECT_EQ(torchscript_of(original).extra_files, torchscript_of(exported).extra_files);
  const double allowed = result()["steps"][0]["certificate"]["allowed"];
  for (const std::string& method : other_methods(original)) {
    const auto compare = [&](const Model& one) {
      return one.with_method(method).forward_values(subject().inputs());
    };
    c10::IValue expected;
    try {
      expected = compare(original);
    } catch (const Error&) {
      continue;  // takes other arguments
    }
    EXPECT_LE(relative_distance(compare(exported), expected), allowed) << method;
  }
}

TEST_P(EveryModel, GivesFiguresThatDoNotDependOnTheBatchOrSaysSo) {
  const std::string name = tap();
  if (name.empty()) return;  // no floating-point value that is surely reached
  if (refusals.contains({GetParam(), "statistics"}) || refusals.contains({GetParam(), "*"})) return;
  std::vector<json> results;
  const std::int64_t size = batched() ? 3 * usual_batch() : 3;
  for (const std::int64_t batch : {std::int64_t{1}, std::int64_t{3}, size}) {
    fs::remove_all(at("out"));
    const Outcome outcome = run_config(config({{"kind", "statistics"}, {"taps", name}}, batch));
    if (subject().facts.contains("batch") && batch != subject().facts["batch"]) {
      expect_refused(outcome, {"does not take"});
      continue;
    }
    if (outcome.code != 0) {
      // Some take no batch of one.
      expect_refused(outcome, {"batch"});
      continue;
    }
    results.push_back(result());
  }
  if (subject().facts.contains("batch") || subject().flag("branches")) return;
  ASSERT_GE(results.size(), 2U);
  const auto warned = [](const json& one) {
    return !one["check"]["samples_mixed"].is_null() || one["check"]["rerun"].get<double>() > 1e-6;
  };
  if (std::any_of(results.begin(), results.end(), warned)) {
    EXPECT_TRUE(subject().facts.contains("mixes") || subject().flag("random"))
        << results.back()["check"];
    if (subject().facts.contains("mixes")) {
      EXPECT_EQ(results.back()["check"]["samples_mixed"]["tap"], subject().facts["mixes"]);
    }
    return;
  }
  for (const json& one : results) {
    const json& tap_json = one["steps"][0]["taps"][0];
    const json& last = results.back()["steps"][0]["taps"][0];
    EXPECT_NEAR(tap_json["mean_norm"].get<double>(), last["mean_norm"].get<double>(),
                1e-5 * std::max(1e-3, last["mean_norm"].get<double>()));
    EXPECT_EQ(tap_json["count"], last["count"]);
  }
}

/// Scalars among the arguments, for the command line.
std::vector<std::string> argument_flags(const Fixture& subject) {
  std::vector<std::string> flags;
  const json arguments = subject.facts.value("arguments", json::object());
  for (const auto& [name, value] : arguments.items()) {
    if (value.is_structured() || value.is_null()) continue;
    flags.emplace_back("--input");
    flags.push_back(name + "=" + (value.is_string() ? value.get<std::string>() : value.dump()));
  }
  return flags;
}

TEST_P(EveryModel, GetsAConfigThatPassesCheck) {
  std::vector<std::string> args = {"init", subject().file().string()};
  for (const std::string& flag : argument_flags(subject())) args.push_back(flag);
  const Outcome outcome = command(args);
  if (outcome.code != 0) {
    expect_refused(outcome, {"no tap to begin with"});
    EXPECT_TRUE(taps().empty()) << outcome.err;
    return;
  }
  EXPECT_THAT(outcome.err, ::testing::StartsWith("note: "));
  const Outcome checked = command({"check", write("config.json", outcome.out).string()});
  EXPECT_EQ(checked.code, 0) << checked.err;
}

INSTANTIATE_TEST_SUITE_P(
    Fixtures, EveryModel,
    ::testing::ValuesIn(fixture_names([](const Fixture& f) { return f.runs(); })), by_name);

/// Configs that are made for the data that lie there.
using ModelWithData = EveryModel;

TEST_P(ModelWithData, GetsAConfigThatRuns) {
  data(usual_batch());  // writes the file
  std::vector<std::string> args = {"init", subject().file().string(), "--data",
                                   at("data.safetensors").string()};
  for (const std::string& flag : argument_flags(subject())) args.push_back(flag);
  const Outcome outcome = command(args);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json config = json::parse(outcome.out);
  const Outcome ran = run_config(config);
  EXPECT_EQ(ran.code, 0) << ran.err;
  std::set<std::string> kinds;
  for (const json& step : config["steps"]) kinds.insert(step["kind"].get<std::string>());
  for (const char* kind : {"statistics", "capture", "completeness", "descramble", "jacobian"}) {
    const bool noted =
        outcome.err.find(std::string("the step '") + kind + "' is left out") != std::string::npos;
    EXPECT_NE(kinds.contains(kind), noted) << kind << "\n" << outcome.err;
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, ModelWithData,
                         ::testing::Values("mlp", "lenet_functional_traced", "two_inputs",
                                           "tuple_output", "one_batch_size_traced", "no_batch",
                                           "attention_scripted", "embedding",
                                           "resnet_blocks_scripted", "quantized",
                                           "recurrent_policy", "functional_dropout",
                                           "hook_of_child", "masked_tokens"),
                         by_name);

}  // namespace
}  // namespace descramble::test
