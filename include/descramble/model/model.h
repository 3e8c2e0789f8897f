#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <ATen/core/Tensor.h>

namespace c10 {
struct IValue;
}

namespace descramble {

/// Which part of the model's output the logits are: the output itself, an index into a tuple or
/// list, or a key into a dict.
using OutputKey = std::variant<std::monostate, std::int64_t, std::string>;

/// Where a pass starts in a model whose forward writes to itself (hidden states, counters,
/// statistics of batches).
enum class StatePolicy {
  live,   ///< from what the pass before has left, as the module itself does; inputs may be written
  reset,  ///< each pass from the start: its order and its batches do not matter
  carry   ///< from what the pass before has left, since Model::restart
};

struct Argument {
  std::string name{};
  std::string type{};  ///< TorchScript's spelling, "Dict[str, Tensor]"
  bool has_default = false;
};

/// What can be said of a model without running it.
struct ModelDescription {
  std::string class_name{};
  std::vector<Argument> inputs{};
  std::string output{};
  std::int64_t modules = 0;
  std::int64_t parameters =
      0;  ///< numbers in parameters (0 for a frozen model: they are constants of its graph)
  bool frozen = false;
};

class Network;

/// A network on one device, in eval mode: a TorchScript model, or one of another backend. Copies
/// share it, and nothing here changes it.
class Model {
 public:
  struct State;

  explicit Model(std::shared_ptr<State> state) : state_(std::move(state)) {}
  /// A model of another backend. `name` stands in errors and results.
  static Model of(std::shared_ptr<const Network> network, const std::string& name,
                  at::Device device = at::kCPU);

  const Network& network() const;

  /// The untouched module's output. @throws Error when the model does not take these inputs
  c10::IValue forward_values(const std::vector<c10::IValue>& inputs) const;
  /// The same for tensors in and one tensor (chosen by the output key) out.
  at::Tensor forward(const std::vector<at::Tensor>& inputs) const;

  ModelDescription description() const;
  at::Device device() const;
  /// How many devices the archive's code spells out that are not this one; they are here.
  std::int64_t moved_devices() const;
  /// Dtype of the first floating-point parameter, buffer or constant; float32 where there is none.
  at::ScalarType dtype() const;
  const std::string& name() const;  ///< the file it came from, or "sequential"
  const OutputKey& output_key() const;
  const std::string& method() const;  ///< that runs: "forward" unless another one was named
  /// Whether values have the samples in front. Where they do not, a pass takes one sample: tensors
  /// given and got, taps included, have a first dimension of size 1 outside.
  bool batched() const;
  /// The arguments of the method, filled with the inputs of some samples (see with_arguments).
  std::vector<c10::IValue> arguments(const std::vector<at::Tensor>& inputs) const;

  /// Parameters by name, in the order of registration; they share storage with the model.
  std::vector<std::pair<std::string, at::Tensor>> parameters() const;

  /// Buffers by name, in the order of registration; they share storage with the model.
  std::vector<std::pair<std::string, at::Tensor>> buffers() const;

  /// A copy that shares nothing, with every floating-point tensor in `dtype`.
  /// @throws Error naming the operator when the graph holds a constant of another floating dtype
  Model to_dtype(at::ScalarType dtype) const;
  Model with_output(OutputKey key) const;
  /// The same module, another of its methods; its arguments are the inputs in order.
  /// @throws Error where there is none
  Model with_method(const std::string& method) const;
  /// Another archive, used as this one: device, method, arguments, output. @throws Error
  Model loaded_like(const std::filesystem::path& file) const;

  /// Buffers and attributes that forward writes, by path, as the graph tells in the mode (training
  /// or not) that the model is in. All of them where the graph hides what it calls.
  const std::vector<std::string>& written() const;
  /// By argument of forward: whether forward writes into it.
  const std::vector<bool>& written_inputs() const;
  /// Whether forward takes derivatives itself (of an energy, of a score).
  bool derives() const;
  /// The same module under another policy; what the module holds now is the start. Under `reset`
  /// and `carry`, inputs that forward writes are copied first.
  Model with_state(StatePolicy policy) const;
  /// The same with the start that it has; with what the module holds now where it has none.
  Model with_policy(StatePolicy policy) const;
  StatePolicy state_policy() const;
  /// Puts back the start of `reset` or `carry`; nothing where the policy is `live`.
  void restart() const;

  void set_training(bool on) const;  ///< for training loops; load_model and export give eval mode
  bool is_training() const;

  /// Plain TorchScript. @throws Failure when writing fails
  void save(const std::filesystem::path& file) const;

  State& state() const { return *state_; }

 private:
  std::shared_ptr<State> state_;
};

/// Loads a TorchScript archive onto `device` ("cpu", "cuda", "cuda:1"), wherever it was saved.
/// `method` is what runs.
/// @throws Error for a missing, damaged or foreign file, an operator that this LibTorch lacks, a
///         model without the method, an absent device
Model load_model(const std::filesystem::path& file, const std::string& device = "cpu",
                 const std::string& method = "forward");

/// Checks and parses a device name. @throws Error when this machine has no such device
at::Device parse_device(const std::string& name);

/// The tensor that `key` selects. @throws Error naming what the output is instead
at::Tensor select_output(const c10::IValue& output, const OutputKey& key);

/// "Tensor 1x3x224x224 float32" for errors and listings.
std::string shape_text(const at::Tensor& tensor);
std::string dtype_name(at::ScalarType dtype);
/// @throws Error for an unknown name
at::ScalarType parse_dtype(const std::string& name);

}  // namespace descramble
