#include "descramble/model/model.h"

#include <cstddef>
#include <memory>
#include <utility>

#include <ATen/core/grad_mode.h>

#include "descramble/core/error.h"
#include "model/state.h"
#include "model/writes.h"

namespace descramble {

const Writes& Model::State::writes() const {
  const bool in_training = module.hasattr("training") && module.is_training();
  std::shared_ptr<const Writes>& found = writes_[in_training ? 1 : 0];
  if (!found) found = std::make_shared<const Writes>(method_writes(module, method));
  return *found;
}

std::vector<c10::IValue> Model::State::arguments(const std::vector<at::Tensor>& inputs) const {
  if (!fills) return {inputs.begin(), inputs.end()};
  std::vector<c10::IValue> result;
  for (const auto& fill : *fills) result.push_back(fill(inputs));
  return result;
}

at::Tensor Model::State::logits(const c10::IValue& value) const {
  at::Tensor selected = select_output(value, output);
  // The real numbers that the codes stand for: nothing can be computed with codes.
  if (selected.is_quantized()) selected = selected.dequantize();
  return batched ? selected : selected.unsqueeze(0);
}

std::vector<c10::IValue> Model::arguments(const std::vector<at::Tensor>& inputs) const {
  return state_->arguments(inputs);
}

const std::string& Model::method() const {
  return state_->method;
}
bool Model::batched() const {
  return state_->batched;
}

std::vector<c10::IValue> Model::State::begin_pass(const std::vector<c10::IValue>& inputs) const {
  if (policy == StatePolicy::live) return inputs;
  if (policy == StatePolicy::reset) start->restore();
  std::vector<c10::IValue> result = inputs;
  const std::vector<bool>& written = writes().inputs;
  for (std::size_t i = 0; i < result.size() && i < written.size(); ++i) {
    if (written[i]) result[i] = result[i].deepcopy();
  }
  return result;
}

c10::IValue Model::forward_values(const std::vector<c10::IValue>& inputs) const {
  try {
    const c10::AutoGradMode gradients(at::GradMode::is_enabled() || state_->writes().derives);
    return state_->run_method()(state_->begin_pass(inputs));
  } catch (const std::exception& error) {
    throw input_error(*this, inputs, error);
  }
}

at::Tensor Model::forward(const std::vector<at::Tensor>& inputs) const {
  return state_->logits(forward_values(state_->arguments(inputs)));
}

namespace {

bool is_frozen(const torch::jit::Module& module) {
  return !module.hasattr("training") && module.parameters(true).size() == 0;
}

}  // namespace

ModelDescription Model::description() const {
  const torch::jit::Module& module = state_->module;
  ModelDescription result;
  result.class_name = module.type()->name() ? module.type()->name()->name() : "?";
  const auto& schema = state_->run_method().function().getSchema();
  for (std::size_t i = 1; i < schema.arguments().size(); ++i) {
    result.inputs.push_back({schema.arguments()[i].name(),
                             schema.arguments()[i].type()->annotation_str(),
                             schema.arguments()[i].default_value().has_value()});
  }
  for (const auto& value : schema.returns()) result.output = value.type()->annotation_str();
  for ([[maybe_unused]] const auto& child : module.named_modules()) ++result.modules;
  --result.modules;  // the model itself
  for (const auto& parameter : module.parameters(true)) result.parameters += parameter.numel();
  result.frozen = is_frozen(module);
  return result;
}

at::Device Model::device() const {
  return state_->device;
}

std::int64_t Model::moved_devices() const {
  return state_->moved_devices;
}

const std::string& Model::name() const {
  return state_->name;
}
const OutputKey& Model::output_key() const {
  return state_->output;
}

std::vector<std::pair<std::string, at::Tensor>> Model::parameters() const {
  std::vector<std::pair<std::string, at::Tensor>> result;
  for (const auto& parameter : state_->module.named_parameters(true)) {
    result.emplace_back(parameter.name, parameter.value);
  }
  return result;
}

std::vector<std::pair<std::string, at::Tensor>> Model::buffers() const {
  std::vector<std::pair<std::string, at::Tensor>> result;
  for (const auto& buffer : state_->module.named_buffers(true)) {
    result.emplace_back(buffer.name, buffer.value);
  }
  return result;
}

Model Model::with_method(const std::string& method) const {
  if (!state_->module.find_method(method))
    throw Error(
        {"the model has no such method", state_->name, "one of its own", "'" + method + "'"});
  auto copy = std::make_shared<State>(*state_);
  copy->method = method;
  copy->fills = nullptr;
  copy->policy = StatePolicy::live;
  copy->start = nullptr;
  copy->forget_writes();
  return Model(std::move(copy));
}

Model Model::loaded_like(const std::filesystem::path& file) const {
  const Model loaded = load_model(file, state_->device.str(), state_->method);
  auto copy = std::make_shared<State>(*state_);
  copy->module = loaded.state().module;
  copy->name = loaded.state().name;
  copy->policy = StatePolicy::live;
  copy->start = nullptr;
  copy->forget_writes();
  return Model(std::move(copy));
}

const std::vector<std::string>& Model::written() const {
  return state_->writes().attributes;
}

const std::vector<bool>& Model::written_inputs() const {
  return state_->writes().inputs;
}

bool Model::derives() const {
  return state_->writes().derives;
}

Model Model::with_state(StatePolicy policy) const {
  auto copy = std::make_shared<State>(*state_);
  copy->policy = policy;
  copy->start = policy == StatePolicy::live ? nullptr : std::make_shared<const Snapshot>(*this);
  return Model(std::move(copy));
}

Model Model::with_policy(StatePolicy policy) const {
  if (!state_->start || policy == StatePolicy::live) return with_state(policy);
  auto copy = std::make_shared<State>(*state_);
  copy->policy = policy;
  return Model(std::move(copy));
}

StatePolicy Model::state_policy() const {
  return state_->policy;
}

void Model::restart() const {
  if (state_->start) state_->start->restore();
}

Model Model::with_output(OutputKey key) const {
  auto copy = std::make_shared<State>(*state_);
  copy->output = std::move(key);
  return Model(std::move(copy));
}

void Model::set_training(bool on) const {
  state_->module.train(on);
}

bool Model::is_training() const {
  return state_->module.is_training();
}

}  // namespace descramble
