#include "descramble/model/model.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/jit_exception.h>
#include <torch/csrc/jit/serialization/export.h>

#include "descramble/core/error.h"
#include "model/copy_module.h"
#include "model/writes.h"

namespace descramble {

std::string dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return "float32";
    case at::kDouble:
      return "float64";
    case at::kHalf:
      return "float16";
    case at::kBFloat16:
      return "bfloat16";
    case at::kLong:
      return "int64";
    case at::kInt:
      return "int32";
    case at::kShort:
      return "int16";
    case at::kChar:
      return "int8";
    case at::kByte:
      return "uint8";
    case at::kBool:
      return "bool";
    default:
      return c10::toString(dtype);
  }
}

at::ScalarType parse_dtype(const std::string& name) {
  std::vector<std::string> known;
  for (const auto dtype : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16, at::kLong, at::kInt,
                           at::kShort, at::kChar, at::kByte, at::kBool}) {
    if (dtype_name(dtype) == name) return dtype;
    known.push_back(dtype_name(dtype));
  }
  throw Error({"unknown dtype", "", "one of " + quoted_list(known), "'" + name + "'"});
}

std::string shape_text(const at::Tensor& tensor) {
  if (!tensor.defined()) return "an undefined tensor";
  return fmt::format(
      "{} {}", tensor.dim() == 0 ? "scalar" : fmt::format("{}", fmt::join(tensor.sizes(), "x")),
      dtype_name(tensor.scalar_type()));
}

at::Tensor select_output(const c10::IValue& output, const OutputKey& key) {
  const auto refuse = [&](const std::string& expected) {
    return Error({"cannot take the logits from the model's output", "/model/output", expected,
                  output.type()->annotation_str()});
  };
  if (std::holds_alternative<std::monostate>(key)) {
    if (!output.isTensor()) {
      throw refuse("a tensor, or \"output\": the index or key of the logits");
    }
    return output.toTensor();
  }
  if (const auto* index = std::get_if<std::int64_t>(&key)) {
    std::vector<c10::IValue> elements;
    if (output.isTuple()) {
      for (const c10::IValue& element : output.toTupleRef().elements()) elements.push_back(element);
    } else if (output.isTensorList()) {
      for (const at::Tensor& element : output.toTensorVector()) elements.emplace_back(element);
    } else if (output.isList()) {
      for (const c10::IValue& element : output.toListRef()) elements.push_back(element);
    }
    const auto at = static_cast<std::size_t>(*index);
    if (at >= elements.size() || !elements[at].isTensor()) {
      throw refuse(fmt::format("a tuple or list with a tensor at {}", *index));
    }
    return elements[at].toTensor();
  }
  const std::string& name = std::get<std::string>(key);
  if (output.isGenericDict()) {
    for (const auto& entry : output.toGenericDict()) {
      if (entry.key().isString() && entry.key().toStringRef() == name && entry.value().isTensor()) {
        return entry.value().toTensor();
      }
    }
  }
  std::vector<std::string> keys;
  if (output.isGenericDict()) {
    for (const auto& entry : output.toGenericDict()) {
      if (entry.key().isString() && entry.value().isTensor())
        keys.push_back(entry.key().toStringRef());
    }
  }
  if (keys.empty()) throw refuse("a dict with a tensor at '" + name + "'");
  throw Error({"cannot take the logits from the model's output", "/model/output",
               "one of the keys " + quoted_list(keys), "'" + name + "'"});
}

std::string interpreter_message(const std::exception& error) {
  const std::string text = error.what();
  // The interpreter's text is a stack; its last "RuntimeError: …", "builtins.ValueError: …" is the
  // reason.
  std::string found = text;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = std::string_view(text).substr(begin, end - begin);
    const std::size_t colon = line.find(": ");
    if (colon != std::string_view::npos && line.find(' ') > colon &&
        (line.substr(0, colon).ends_with("Error") ||
         line.substr(0, colon).ends_with("Exception"))) {
      found = text.substr(begin + colon + 2);
    }
    begin = end + 1;
  }
  return first_line(found);
}

namespace {

std::string value_text(const c10::IValue& value) {
  if (value.isTensor()) return shape_text(value.toTensor());
  return value.type()->annotation_str();
}

}  // namespace

namespace {

bool contains(const std::string& text, std::initializer_list<const char*> signs) {
  return std::any_of(signs.begin(), signs.end(),
                     [&text](const char* sign) { return text.find(sign) != std::string::npos; });
}

/// Floating-point inputs of another dtype than the model's.
bool dtypes_differ(const Model& model, const std::vector<c10::IValue>& inputs) {
  return std::any_of(inputs.begin(), inputs.end(), [&model](const c10::IValue& input) {
    return input.isTensor() && input.toTensor().is_floating_point() &&
           input.toTensor().scalar_type() != model.dtype();
  });
}

}  // namespace

Error input_error(const Model& model, const std::vector<c10::IValue>& inputs,
                  const std::exception& error) {
  std::vector<std::string> texts;
  for (const c10::IValue& input : inputs) texts.push_back(value_text(input));
  const std::string found = fmt::format("{}", fmt::join(texts, ", "));
  const std::string reason = interpreter_message(error);
  if (contains(reason, {"CUDA", "cuda", "Torch not compiled with", "No HIP"})) {
    return Error({"the model's code asks for a device of its own", model.name(),
                  "code that runs on '" + model.device().str() + "'", reason});
  }
  if (contains(reason, {"NoQEngine", "quantized engine", "Didn't find engine"})) {
    return Error({"this LibTorch has no engine for the model's quantised operators", model.name(),
                  "one of those that it was built with", reason});
  }
  // `raise` and `assert` in the archive's code; operators throw other exceptions.
  if (dynamic_cast<const torch::jit::JITException*>(&error) != nullptr) {
    return Error({"the model's own code raises an exception", model.name(),
                  "inputs that it takes, if it takes any (they were " + found + ")", reason});
  }
  if (dtypes_differ(model, inputs) &&
      contains(reason, {"dtype", "scalar type", "same type", "Input type", "data type", "Float",
                        "Double", "Half", "BFloat16"})) {
    return Error({"the inputs have another dtype than the model", model.name(),
                  dtype_name(model.dtype()) + ", or \"dtype\" in the config, which converts both",
                  found});
  }
  return Error({"the model does not take this input", model.name(),
                "what its layers take (" + reason + ")", found});
}

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

at::ScalarType Model::dtype() const {
  for (const auto& parameter : state_->module.parameters(true)) {
    if (parameter.is_floating_point()) return parameter.scalar_type();
  }
  for (const auto& buffer : state_->module.buffers(true)) {
    if (buffer.is_floating_point()) return buffer.scalar_type();
  }
  for (const torch::jit::Node* node : state_->run_method().graph()->nodes()) {
    if (node->kind() != torch::jit::prim::Constant || !node->hasAttribute(torch::jit::attr::value))
      continue;
    if (node->kindOf(torch::jit::attr::value) != torch::jit::AttributeKind::t) continue;
    const at::Tensor& constant = node->t(torch::jit::attr::value);
    if (constant.is_floating_point() && constant.dim() > 0) return constant.scalar_type();
  }
  return at::kFloat;
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

namespace {

/// Name of the first operator under `block` that produces a fixed floating dtype, with the dtype.
std::string dtype_constant(torch::jit::Block* block, at::ScalarType wanted) {
  for (torch::jit::Node* node : block->nodes()) {
    for (torch::jit::Block* inner : node->blocks()) {
      if (std::string found = dtype_constant(inner, wanted); !found.empty()) return found;
    }
    if (const auto* schema = node->maybeSchema()) {
      for (std::size_t i = 0; i < schema->arguments().size() && i < node->inputs().size(); ++i) {
        if (schema->arguments()[i].name() != "dtype") continue;
        const auto value = torch::jit::toIValue(node->input(i));
        if (!value || !value->isInt()) continue;
        const auto dtype = static_cast<at::ScalarType>(value->toInt());
        if (at::isFloatingType(dtype) && dtype != wanted) {
          return fmt::format("{} ({})", node->kind().toQualString(), dtype_name(dtype));
        }
      }
    }
    if (node->kind() == torch::jit::prim::Constant && node->hasAttribute(torch::jit::attr::value) &&
        node->kindOf(torch::jit::attr::value) == torch::jit::AttributeKind::t) {
      const at::Tensor& constant = node->t(torch::jit::attr::value);
      if (constant.is_floating_point() && constant.dim() > 0 && constant.scalar_type() != wanted) {
        return fmt::format("a constant tensor of {}", shape_text(constant));
      }
    }
  }
  return "";
}

}  // namespace

Model Model::to_dtype(at::ScalarType wanted) const {
  auto graph = state_->run_method().graph()->copy();
  torch::jit::Inline(*graph);
  if (const std::string found = dtype_constant(graph->block(), wanted); !found.empty()) {
    throw Error({"cannot convert the model to " + dtype_name(wanted), state_->name,
                 "a graph without floating dtype constants", found});
  }
  auto copy = std::make_shared<State>(*state_);
  copy->module = copy_module(state_->module, wanted);
  copy->forget_writes();
  return Model(copy).with_state(copy->policy);
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

namespace {

/// While it lives, modules are in the mode in which the archive had them.
class ModesOfArchive {
 public:
  explicit ModesOfArchive(const Model::State& state) {
    for (const auto& child : state.module.named_modules()) {
      if (!state.training.contains(child.name) || !child.value.hasattr("training")) continue;
      torch::jit::Module module = child.value;
      if (module.attr("training").toBool()) continue;
      module.setattr("training", true);
      changed_.push_back(module);
    }
  }
  ~ModesOfArchive() {
    for (torch::jit::Module& module : changed_) module.setattr("training", false);
  }
  ModesOfArchive(const ModesOfArchive&) = delete;
  ModesOfArchive& operator=(const ModesOfArchive&) = delete;

 private:
  std::vector<torch::jit::Module> changed_{};
};

}  // namespace

void Model::save(const std::filesystem::path& file) const {
  const auto fail = [&file](const std::string& found) {
    return Failure({"cannot save the model", file.string(), "room and permission", found});
  };
  std::FILE* stream = std::fopen(file.c_str(), "wb");
  if (stream == nullptr) throw fail(std::strerror(errno));
  int error = 0;
  // LibTorch's writer must not see a failure: its destructor would throw and end the process.
  const auto write = [&](const void* bytes, std::size_t size) {
    if (error == 0 && std::fwrite(bytes, 1, size, stream) != size) error = errno;
    return size;
  };
  std::string message;
  try {
    const ModesOfArchive modes(*state_);
    torch::jit::ExportModule(state_->module, write, state_->extra_files, state_->bytecode);
  } catch (const std::exception& exception) {
    message = first_line(exception.what());
  }
  if (std::fclose(stream) != 0 && error == 0) error = errno;
  if (error != 0) throw fail(std::strerror(error));
  if (!message.empty()) throw fail(message);
}

}  // namespace descramble
