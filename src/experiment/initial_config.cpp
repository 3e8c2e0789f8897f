#include "experiment/initial_config.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/data/kinds.h"
#include "descramble/model/kinds.h"
#include "descramble/taps/point.h"
#include "experiment/config.h"
#include "experiment/initial_steps.h"
#include "experiment/initial_trial.h"

namespace descramble {

using nlohmann::json;

namespace {

bool holds_tensors(const std::string& type) {
  return type.find("Tensor") != std::string::npos;
}

/// Whether a type is a container of values.
bool is_container(const std::string& type) {
  return type.starts_with("Tuple") || type.starts_with("List") || type.starts_with("Dict");
}

/// The argument that takes an input by its name or its place; nothing if no argument takes it.
const Argument* taker_of(const std::vector<Argument>& arguments, const InputSpec& spec,
                         std::size_t place) {
  if (spec.name.empty()) return place < arguments.size() ? &arguments[place] : nullptr;
  const auto named =
      std::find_if(arguments.begin(), arguments.end(),
                   [&](const Argument& argument) { return argument.name == spec.name; });
  return named == arguments.end() ? nullptr : &*named;
}

/// @throws Error for an input that no argument takes, or that describes no tensor where one is
/// needed. Containers take inputs of any name.
void require_inputs(const Model& model, const std::vector<InputSpec>& inputs) {
  const std::vector<Argument> arguments = model.description().inputs;
  std::vector<std::string> names;
  for (const Argument& argument : arguments) {
    names.push_back(argument.name);
    if (is_container(argument.type)) return;
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const InputSpec& spec = inputs[i];
    const std::string given = "--input " + (spec.name.empty() ? "" : spec.name + "=") + spec.text;
    const Argument* taker = taker_of(arguments, spec, i);
    if (taker == nullptr) {
      throw Error({"no argument takes this input", given,
                   names.empty() ? "no inputs" : "one for each of " + quoted_list(names),
                   spec.name.empty() ? fmt::format("input {}", i + 1) : "'" + spec.name + "'"});
    }
    if (holds_tensors(taker->type) && !spec.defect.empty()) {
      throw Error({"bad input", given,
                   "[NAME=]SHAPE[:DTYPE[=VALUES]] for the tensor '" + taker->name + "'",
                   spec.defect});
    }
  }
}

/// Whether some of the given arguments are tensors; if so, the model is run.
bool gives_tensors(const Model& model, const std::vector<InputSpec>& inputs) {
  const std::vector<Argument> arguments = model.description().inputs;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Argument* taker = taker_of(arguments, inputs[i], i);
    if (taker == nullptr || holds_tensors(taker->type)) return true;
  }
  return false;
}

/// The "arguments" of a model for the arguments of its method that are not tensors, from `inputs`.
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

/// The output that is taken as the logits: the first tensor of a tuple, list or dictionary.
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

/// Names for data that do not exist yet.
json data_to_come(const Model& model) {
  std::vector<std::string> names;
  for (const Argument& argument : model.description().inputs) {
    if (holds_tensors(argument.type)) names.push_back(argument.name);
  }
  if (names.empty()) names.emplace_back("x");
  return {{"kind", "safetensors"}, {"path", "data.safetensors"}, {"inputs", names}};
}

/// What the data may be guessed by.
DataHints hints_of(const Model& model, const InitialOptions& options,
                   std::vector<std::string>& notes) {
  DataHints hints;
  for (const Argument& argument : model.description().inputs) {
    if (holds_tensors(argument.type)) hints.arguments.push_back(argument.name);
    hints.containers = hints.containers || is_container(argument.type);
  }
  for (const InputSpec& spec : options.inputs) {
    if (spec.shape.size() != 4) continue;
    hints.side = spec.shape.back();
    if (spec.shape[1] == 3 && spec.shape[2] == spec.shape[3]) continue;
    notes.emplace_back(
        "--input is no square of 3 channels, which pictures become: the crop is as wide as it");
  }
  return hints;
}

}  // namespace

InitialConfig initial_config(const InitialOptions& options) {
  const Model model = load_model(options.model, "cpu", options.method);
  require_inputs(model, options.inputs);
  if (model.description().inputs.empty()) {
    throw Error({"the method takes no inputs", options.model.string() + ", " + options.method,
                 "a method that takes the data", "none of its arguments"});
  }
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
    std::vector<std::string> of_pictures;
    const DataHints hints = hints_of(model, options, of_pictures);
    SourceGuess guess = guess_source(options.data, hints);
    config["data"] = guess.source.json();
    for (std::string& note : guess.notes) result.notes.push_back(std::move(note));
    if (config["data"].value("kind", "") == "images") {
      for (std::string& note : of_pictures) result.notes.push_back(std::move(note));
      result.notes.emplace_back(
          "resize, crop, mean and std are torchvision's usual ones: hold them against how the "
          "network was trained");
    }
    config["steps"] = json::array({{{"kind", "evaluate"}}});  // to open it with
    if (is_container(type)) take_logits(returned_for(config));
    const Opened opened = fit_to_data(config, result.notes);
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
    if (is_container(type)) take_logits(output);
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
