#include "torchscript/torchscript.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <torch/csrc/jit/runtime/jit_exception.h>

#include "descramble/taps/point.h"
#include "model/state.h"
#include "torchscript/names.h"
#include "torchscript/node_numbers.h"
#include "torchscript/walked.h"
#include "torchscript/writes.h"

namespace descramble {

const TorchScript& torchscript_of(const Model& model) {
  const auto* script = dynamic_cast<const TorchScript*>(&model.network());
  if (script != nullptr) return *script;
  throw Error({"not a TorchScript model", model.name(), "one", model.description().class_name});
}

Model model_of(std::shared_ptr<const TorchScript> script) {
  auto state = std::make_shared<Model::State>();
  state->name = script->name;
  state->device = script->device;
  state->method = script->method;
  state->network = std::move(script);
  return Model(std::move(state));
}

const Writes& TorchScript::writes() const {
  const bool in_training = module.hasattr("training") && module.is_training();
  const std::lock_guard lock(*finding_out_);
  std::shared_ptr<const Writes>& found = writes_[in_training ? 1 : 0];
  if (!found) found = std::make_shared<const Writes>(method_writes(module, method));
  return *found;
}

void TorchScript::forget_graph() {
  const std::lock_guard lock(*finding_out_);
  writes_ = {};
  walked_ = nullptr;
}

void TorchScript::set_module(torch::jit::Module other) {
  module = std::move(other);
  forget_graph();
}

void TorchScript::set_method(const std::string& other) {
  method = other;
  forget_graph();
}

const WalkedGraph& TorchScript::walked() const {
  const std::lock_guard lock(*finding_out_);
  if (!walked_) walked_ = std::make_shared<const WalkedGraph>(walk_and_mark(*this));
  return *walked_;
}

c10::IValue TorchScript::run(const std::vector<c10::IValue>& inputs) const {
  return run_method()(inputs);
}

namespace {

bool is_frozen(const torch::jit::Module& module) {
  return !module.hasattr("training") && module.parameters(true).size() == 0;
}

}  // namespace

ModelDescription TorchScript::description() const {
  ModelDescription result;
  result.class_name = module.type()->name() ? module.type()->name()->name() : "?";
  for (std::size_t i = 1; i < schema()->arguments().size(); ++i) {
    const c10::Argument& argument = schema()->arguments()[i];
    result.inputs.push_back(
        {argument.name(), argument.type()->annotation_str(), argument.default_value().has_value()});
  }
  for (const auto& value : schema()->returns()) result.output = value.type()->annotation_str();
  for ([[maybe_unused]] const auto& child : module.named_modules()) ++result.modules;
  --result.modules;  // the model itself
  for (const auto& parameter : module.parameters(true)) result.parameters += parameter.numel();
  result.frozen = is_frozen(module);
  return result;
}

std::vector<std::pair<std::string, at::Tensor>> TorchScript::parameters() const {
  std::vector<std::pair<std::string, at::Tensor>> result;
  for (const auto& parameter : module.named_parameters(true))
    result.emplace_back(parameter.name, parameter.value);
  return result;
}

std::vector<std::pair<std::string, at::Tensor>> TorchScript::buffers() const {
  std::vector<std::pair<std::string, at::Tensor>> result;
  for (const auto& buffer : module.named_buffers(true))
    result.emplace_back(buffer.name, buffer.value);
  return result;
}

void TorchScript::set_training(bool on) const {
  torch::jit::Module shared = module;
  shared.train(on);
}

std::function<void()> TorchScript::keep_modes() const {
  std::vector<std::pair<torch::jit::Module, bool>> modes;
  for (const torch::jit::Module& one : module.modules()) {
    if (one.hasattr("training")) modes.emplace_back(one, one.attr("training").toBool());
  }
  return [modes] {
    for (const auto& [one, on] : modes) {
      torch::jit::Module shared = one;
      shared.setattr("training", on);
    }
  };
}

const c10::FunctionSchema* TorchScript::schema() const {
  return &run_method().function().getSchema();
}

bool TorchScript::raised(const std::exception& error) const {
  return dynamic_cast<const torch::jit::JITException*>(&error) != nullptr;
}

const std::vector<std::string>& TorchScript::written() const {
  return writes().attributes;
}

const std::vector<bool>& TorchScript::written_inputs() const {
  return writes().inputs;
}

bool TorchScript::derives() const {
  return writes().derives;
}

std::shared_ptr<const Network> TorchScript::with_method(const std::string& other) const {
  if (!module.find_method(other))
    throw Error({"the model has no such method", name, "one of its own", "'" + other + "'"});
  auto copy = std::make_shared<TorchScript>(*this);
  copy->set_method(other);
  return copy;
}

std::shared_ptr<const Network> TorchScript::loaded_like(const std::filesystem::path& file) const {
  return load_torchscript(file, device, method);
}

std::vector<std::string> TorchScript::other_methods() const {
  std::vector<std::string> result;
  for (const auto& known : module.get_methods()) {
    const std::string& one = known.name();
    if (one != method && !one.starts_with('_') && one.find(variant_mark) == std::string::npos)
      result.push_back(one);
  }
  return result;
}

std::int64_t TorchScript::forks() const {
  const std::vector<torch::jit::Node*> nodes = numbered_nodes(walked().graph->block());
  return std::count_if(nodes.begin(), nodes.end(), [](const torch::jit::Node* node) {
    return node->kind() == torch::jit::prim::fork;
  });
}

std::vector<TapPoint> TorchScript::points() const {
  std::vector<TapPoint> result;
  for (const MetPoint& met : walked().points) {
    if (!met.is_argument) result.push_back(met.point);
  }
  return result;
}

}  // namespace descramble
