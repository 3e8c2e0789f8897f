#include "descramble/model/model.h"

#include <memory>
#include <utility>

#include <ATen/core/grad_mode.h>

#include "model/state.h"

namespace descramble {

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

std::vector<c10::IValue> Model::State::begin_pass(const std::vector<c10::IValue>& inputs) const {
  if (policy == StatePolicy::live) return inputs;
  if (policy == StatePolicy::reset) start->restore();
  std::vector<c10::IValue> result = inputs;
  const std::vector<bool>& written = network->written_inputs();
  for (std::size_t i = 0; i < result.size() && i < written.size(); ++i) {
    if (written[i]) result[i] = result[i].deepcopy();
  }
  return result;
}

Model Model::of(std::shared_ptr<const Network> network, const std::string& name,
                at::Device device) {
  auto state = std::make_shared<State>();
  state->network = std::move(network);
  state->name = name;
  state->device = device;
  return Model(std::move(state));
}

const Network& Model::network() const {
  return *state_->network;
}

c10::IValue Model::forward_values(const std::vector<c10::IValue>& inputs) const {
  try {
    const c10::AutoGradMode gradients(at::GradMode::is_enabled() || network().derives());
    return network().run(state_->begin_pass(inputs));
  } catch (const std::exception& error) {
    if (network().passes_on(error)) throw;
    throw input_error(*this, inputs, error);
  }
}

at::Tensor Model::forward(const std::vector<at::Tensor>& inputs) const {
  return state_->logits(forward_values(state_->arguments(inputs)));
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
at::Device Model::device() const {
  return network().device().value_or(state_->device);
}
const std::string& Model::name() const {
  return state_->name;
}
const OutputKey& Model::output_key() const {
  return state_->output;
}
StatePolicy Model::state_policy() const {
  return state_->policy;
}

ModelDescription Model::description() const {
  return network().description();
}
std::int64_t Model::moved_devices() const {
  return network().moved_devices();
}
at::ScalarType Model::dtype() const {
  return network().dtype();
}
std::vector<std::pair<std::string, at::Tensor>> Model::parameters() const {
  return network().parameters();
}
std::vector<std::pair<std::string, at::Tensor>> Model::buffers() const {
  return network().buffers();
}
const std::vector<std::string>& Model::written() const {
  return network().written();
}
const std::vector<bool>& Model::written_inputs() const {
  return network().written_inputs();
}
bool Model::derives() const {
  return network().derives();
}
void Model::set_training(bool on) const {
  network().set_training(on);
}
bool Model::is_training() const {
  return network().is_training();
}
void Model::save(const std::filesystem::path& file) const {
  network().save(file);
}

Model Model::with_method(const std::string& method) const {
  auto copy = std::make_shared<State>(*state_);
  copy->network = network().with_method(method);
  copy->method = method;
  copy->fills = nullptr;
  copy->policy = StatePolicy::live;
  copy->start = nullptr;
  return Model(std::move(copy));
}

Model Model::loaded_like(const std::filesystem::path& file) const {
  auto copy = std::make_shared<State>(*state_);
  copy->network = network().loaded_like(file);
  copy->name = file.string();
  copy->policy = StatePolicy::live;
  copy->start = nullptr;
  return Model(std::move(copy));
}

Model Model::to_dtype(at::ScalarType dtype) const {
  auto copy = std::make_shared<State>(*state_);
  copy->network = network().to_dtype(dtype);
  return Model(copy).with_state(copy->policy);
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

Model Model::with_output(OutputKey key) const {
  auto copy = std::make_shared<State>(*state_);
  copy->output = std::move(key);
  return Model(std::move(copy));
}

void Model::restart() const {
  if (state_->start) state_->start->restore();
}

}  // namespace descramble
