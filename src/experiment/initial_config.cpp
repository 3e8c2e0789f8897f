#include "experiment/initial_config.h"

#include <algorithm>
#include <optional>

#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/data/kinds.h"
#include "descramble/model/kinds.h"
#include "descramble/taps/point.h"
#include "experiment/run.h"
#include "experiment/workspace.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::int64_t widest = 4096;  ///< units of a tap that a config to start from rotates
constexpr std::int64_t tried = 8;      ///< samples

/// A folder that is gone at the end, for steps that are tried.
class TrialFolder {
 public:
  TrialFolder() : path_((fs::temp_directory_path() / "descramble-init-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr)
      throw Failure({"no temporary folder", path_, "a place to try steps", "none"});
  }
  ~TrialFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TrialFolder(const TrialFolder&) = delete;
  TrialFolder& operator=(const TrialFolder&) = delete;
  fs::path result() const { return fs::path(path_) / "out"; }

 private:
  std::string path_;
};

bool holds_tensors(const std::string& type) {
  return type.find("Tensor") != std::string::npos;
}

/// Whether some of the arguments given are tensors: then the model is to be run.
bool gives_tensors(const Model& model, const std::vector<InputSpec>& inputs) {
  const std::vector<Argument> arguments = model.description().inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const auto named =
        std::find_if(arguments.begin(), arguments.end(),
                     [&](const Argument& argument) { return argument.name == inputs[i].name; });
    const bool unnamed = inputs[i].name.empty() && i < arguments.size();
    const std::string type = named != arguments.end() ? named->type
                             : unnamed                ? arguments[i].type
                                                      : "Tensor";
    if (holds_tensors(type)) return true;
  }
  return false;
}

/// The "arguments" of a model whose method takes others than tensors, from `inputs`.
json arguments_of(const Model& model, const std::vector<InputSpec>& inputs) {
  json result = json::object();
  const std::vector<Argument> arguments = model.description().inputs;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const Argument& argument = arguments[i];
    if (holds_tensors(argument.type)) continue;
    const auto named = std::find_if(inputs.begin(), inputs.end(), [&](const InputSpec& spec) {
      return spec.name == argument.name;
    });
    const InputSpec* given = named != inputs.end()                         ? &*named
                             : i < inputs.size() && inputs[i].name.empty() ? &inputs[i]
                                                                           : nullptr;
    if (given == nullptr && argument.has_default) continue;
    if (given == nullptr && argument.type.starts_with("Optional")) {
      result[argument.name] = nullptr;
    } else if (given == nullptr) {
      throw Error({"an argument needs a value", fmt::format("argument '{}'", argument.name),
                   fmt::format("--input {}=VALUE ({})", argument.name, argument.type), "none"});
    } else {
      const json value = json::parse(given->text, nullptr, /*allow_exceptions=*/false);
      result[argument.name] = value.is_discarded() ? json(given->text) : value;
    }
  }
  return result;
}

bool returns_several(const std::string& type) {
  return type.starts_with("Tuple") || type.starts_with("List") || type.starts_with("Dict");
}

/// Which output the logits are taken for: the first tensor of a tuple, list or dictionary.
/// `output`: what a pass returned; absent: no pass was possible.
json logits_key(const std::string& type, const std::optional<c10::IValue>& output) {
  if (!type.starts_with("Dict")) return 0;
  if (output && output->isGenericDict()) {
    for (const auto& entry : output->toGenericDict()) {
      if (entry.key().isString() && entry.value().isTensor()) return entry.key().toStringRef();
    }
  }
  return "logits";
}

/// Taps that a rotation may stand at, in the order of the network.
struct Candidate {
  std::string name{};
  std::string type{};
};

std::vector<Candidate> candidates_of(const std::vector<TapReading>& readings, bool ran) {
  std::vector<Candidate> modules;
  std::vector<Candidate> operators;
  for (const TapReading& reading : readings) {
    const TapPoint& point = reading.point;
    if (point.in_control_flow || (point.kind != "module" && point.kind != "operator")) continue;
    if (ran) {
      const bool floats = reading.dtype.find("float") != std::string::npos;
      if (!floats || reading.fired != 1 || reading.sizes.size() < 2) continue;
      const std::int64_t units =
          reading.axis == "channels" ? reading.sizes[1] : reading.sizes.back();
      if (units < 2 || units > widest) continue;
    }
    (point.kind == "module" ? modules : operators).push_back({point.name, point.type});
  }
  // Without shapes, layers with weights are the ones that surely have units.
  std::vector<Candidate>& all = modules.empty() ? operators : modules;
  return std::move(all);
}

bool has_weights(const Candidate& candidate) {
  return candidate.type.find("Linear") != std::string::npos ||
         candidate.type.find("Conv") != std::string::npos;
}

/// One step of each sort. `end`: where a Jacobian may lead to.
json steps_of(const std::vector<Candidate>& candidates, bool labelled, const std::string& end) {
  json steps = json::array();
  if (labelled) steps.push_back({{"kind", "evaluate"}});
  if (candidates.empty()) return steps;
  std::vector<Candidate> layers;
  std::copy_if(candidates.begin(), candidates.end(), std::back_inserter(layers), has_weights);
  if (layers.empty()) layers = candidates;
  // The last layer makes the output; the one in the middle of the others is the start.
  const std::size_t inner = layers.size() > 1 ? layers.size() - 1 : 1;
  const Candidate& chosen = layers[inner / 2];
  json names = json::array();
  constexpr std::size_t shown = 6;
  const std::size_t count = std::min(shown, candidates.size());
  for (std::size_t i = 0; i < count; ++i)
    names.push_back(candidates[i * candidates.size() / count].name);
  steps.push_back({{"kind", "statistics"}, {"taps", names}});
  steps.push_back({{"kind", "capture"}, {"taps", chosen.name}, {"limit", 64}});
  steps.push_back({{"kind", "completeness"},
                   {"taps", chosen.name},
                   {"bases", json::array({{{"kind", "pca"}}, {{"kind", "neurons"}}})},
                   {"grid", {{"kind", "adaptive"}, {"points", 16}}}});
  const auto next = std::find_if(layers.begin(), layers.end(),
                                 [&](const Candidate& one) { return one.name == chosen.name; }) +
                    1;
  const std::string to = next != layers.end() ? next->name : end;
  if (!to.empty() && to != chosen.name)
    steps.push_back({{"kind", "jacobian"}, {"from", chosen.name}, {"to", to}, {"samples", 256}});
  steps.push_back(
      {{"kind", "descramble"}, {"tap", chosen.name}, {"objective", {{"kind", "smoothness"}}}});
  return steps;
}

/// Both sources of "data", or the one.
void for_each_source(json& data, const std::function<void(json& source)>& visit) {
  if (data.contains("kind")) return visit(data);
  for (json& source : data) visit(source);
}

/// Names for data that are not there yet.
json data_to_come(const Model& model) {
  std::vector<std::string> names;
  for (const Argument& argument : model.description().inputs) {
    if (holds_tensors(argument.type)) names.push_back(argument.name);
  }
  if (names.empty()) names.emplace_back("x");
  return {{"kind", "safetensors"}, {"path", "data.safetensors"}, {"inputs", names}};
}

/// The same config for a few samples alone.
json for_trial(json config) {
  for_each_source(config["data"], [](json& source) {
    const json batch = source.value("batch_size", json(tried));
    source["limit"] = batch.is_number() ? std::max<std::int64_t>(tried, batch) : tried;
  });
  return config;
}

/// What the model returns for some samples of the config's data; nothing where it takes none.
std::optional<c10::IValue> returned_for(const json& config) {
  const json resolved = resolve_config(for_trial(config), fs::path("init.json")).resolved;
  const Model model = open_model(resolved.at("model"), {.device = resolved.at("device")}).model;
  const json& data = resolved.at("data");
  const Source source = open_source(data.contains("kind") ? data : data.at("train"), {});
  const at::NoGradGuard no_grad;
  for (const std::int64_t count : {tried, std::int64_t{1}}) {
    try {
      const Batch batch = source.data->slice(0, std::min(count, source.data->size()));
      return model.forward_values(model.arguments(batch.inputs));
    } catch (const Error&) {
      // It may take batches of one, or of some other size.
    }
  }
  return std::nullopt;
}

/// Opens the config as it is; the complaint where the model does not take the data.
std::optional<Error> obstacle_of(const json& config) {
  try {
    open_workspace(resolve_config(for_trial(config), fs::path("init.json")));
    return std::nullopt;
  } catch (const Error& error) {
    return error;
  }
}

/// Tensors that bear other names than the arguments are tried in every order.
bool fit_order(json& config, std::vector<std::string>& notes) {
  constexpr std::size_t most = 4;
  if (config["data"].value("kind", "") != "safetensors") return false;
  auto names = config["data"]["inputs"].get<std::vector<std::string>>();
  if (names.size() < 2 || names.size() > most) return false;
  json changed = config;
  std::sort(names.begin(), names.end());
  do {
    changed["data"]["inputs"] = names;
    if (obstacle_of(changed)) continue;
    notes.push_back("the order of the inputs is one that the model takes: " + quoted_list(names));
    config = std::move(changed);
    return true;
  } while (std::next_permutation(names.begin(), names.end()));
  return false;
}

/// Finds sizes of batches that the model takes. @throws Error where there are none
void fit_batches(json& config, std::vector<std::string>& notes) {
  const auto with = [&config](const json& batch, bool batched) {
    json changed = config;
    for_each_source(changed["data"], [&](json& source) {
      source.erase("batch_size");
      if (batch != 256) source["batch_size"] = batch;
    });
    if (!batched) changed["model"]["batched"] = false;
    return changed;
  };
  const std::optional<Error> first = obstacle_of(config);
  if (!first || fit_order(config, notes)) return;
  for (const std::int64_t batch : {1, 2, 4, 8, 16, 32, 64}) {
    json changed = with(batch, true);
    if (obstacle_of(changed)) continue;
    notes.push_back(fmt::format("the model takes batches of {}: batch_size is that", batch));
    config = std::move(changed);
    return;
  }
  json changed = with(nullptr, false);
  if (obstacle_of(changed)) throw *first;
  notes.emplace_back("the model takes one sample without a batch in front: \"batched\": false");
  config = std::move(changed);
}

/// Leaves out what the network does not allow.
void try_steps(json& config, std::vector<std::string>& notes) {
  json kept = json::array();
  for (const json& step : config["steps"]) {
    json one = for_trial(config);
    one["steps"] = json::array({step});
    const std::string kind = step.at("kind");
    const TrialFolder folder;
    Progress silent;
    const auto leave_out = [&](const std::string& why) {
      notes.push_back(fmt::format("the step '{}' is left out: {}", kind, why));
    };
    try {
      run_experiment(resolve_config(one, fs::path("init.json")), folder.result(), false, silent);
      kept.push_back(step);
    } catch (const Error& error) {
      leave_out(error.what());
    } catch (const Failure& failure) {
      leave_out(failure.what());
    }
  }
  if (kept.empty()) {
    throw Error({"no step runs on this model", config["model"]["path"], "at least one",
                 notes.empty() ? "none" : notes.back()});
  }
  config["steps"] = std::move(kept);
}

}  // namespace

InitialConfig initial_config(const InitialOptions& options) {
  const Model model = load_model(options.model, "cpu", options.method);
  InitialConfig result;
  json& config = result.config;
  config = {{"name", options.model.stem().string()},
            {"model", {{"kind", "torchscript"}, {"path", options.model.string()}}}};
  if (options.method != "forward") config["model"]["method"] = options.method;
  if (const json arguments = arguments_of(model, options.inputs); !arguments.empty())
    config["model"]["arguments"] = arguments;

  std::vector<TapReading> readings;
  bool ran = false;
  bool labelled = false;
  const bool has_data = !options.data.empty();
  const std::string type = model.description().output;
  const auto take_logits = [&](const std::optional<c10::IValue>& output) {
    const json key = logits_key(type, output);
    config["model"]["output"] = key;
    result.notes.push_back(
        fmt::format("the model returns {}: {} is taken for the logits", type, key.dump()));
  };
  if (has_data) {
    DataHints hints;
    for (const Argument& argument : model.description().inputs) {
      if (holds_tensors(argument.type)) hints.arguments.push_back(argument.name);
    }
    for (const InputSpec& spec : options.inputs) {
      if (spec.shape.size() == 4) hints.side = spec.shape.back();
    }
    config["data"] = guess_source(options.data, hints).json();
    if (config["data"].value("kind", "") == "images") {
      result.notes.emplace_back(
          "resize, crop, mean and std are torchvision's usual ones: hold them against how the "
          "network was trained");
    }
    config["steps"] = json::array({{{"kind", "evaluate"}}});  // to open it with
    if (returns_several(type)) take_logits(returned_for(config));
    fit_batches(config, result.notes);
    const Opened opened = open_workspace(resolve_config(for_trial(config), fs::path("init.json")));
    const Workspace& workspace = opened.workspace;
    labelled = workspace.test.data->has_labels();
    const at::NoGradGuard no_grad;
    const Model checked = workspace.check_model();
    readings = read_taps(checked, checked.arguments(workspace.check.first_batch()));
    ran = true;
  } else {
    config["data"] = data_to_come(model);
    result.notes.emplace_back(
        "no --data: the config names tensors of data.safetensors, which you write; no step was "
        "tried");
    std::optional<c10::IValue> output;
    if (gives_tensors(model, options.inputs)) {
      const at::NoGradGuard no_grad;
      const std::vector<c10::IValue> inputs = example_inputs(model, options.inputs);
      readings = read_taps(model, inputs);
      output = model.forward_values(inputs);
      ran = true;
    } else {
      for (TapPoint& point : list_taps(model)) readings.push_back({.point = std::move(point)});
    }
    if (returns_several(type)) take_logits(output);
  }
  const bool ends = !readings.empty() && readings.back().point.kind == "output";
  config["steps"] = steps_of(candidates_of(readings, ran), labelled, ends ? "output" : "");
  if (config["steps"].empty())
    throw Error({"no tap to begin with", options.model.string(),
                 "a layer with at least two units that every pass reaches once", "none"});
  if (has_data) try_steps(config, result.notes);
  return result;
}

}  // namespace descramble
