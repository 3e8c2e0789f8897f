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

namespace [[gnu::visibility("default")]] descramble {

/// Which part of the model's output the logits are: the output itself, an index into a tuple or
/// list, or a key into a dict.
using OutputKey = std::variant<std::monostate, std::int64_t, std::string>;

/// The state that a pass starts from, in a model whose forward writes to itself (hidden states,
/// counters, statistics of batches).
enum class StatePolicy {
  live,   ///< the state that the last pass left, as in the module itself; forward may write inputs
  reset,  ///< the same state for each pass: the order of batches does not matter
  carry   ///< the state that the last pass left, beginning at Model::restart
};

/// One argument of a model's method.
struct Argument {
  std::string name{};        ///< the name in the method's code
  std::string type{};        ///< TorchScript's spelling, "Dict[str, Tensor]"
  bool has_default = false;  ///< whether a pass may leave it out
};

/// What a model says of itself without a pass.
struct ModelDescription {
  std::string class_name{};        ///< the module's class
  std::vector<Argument> inputs{};  ///< the arguments of the method, without the module itself
  std::string output{};            ///< TorchScript's spelling of the result's type
  std::int64_t modules = 0;        ///< number of submodules at all depths
  /// Numbers in parameters (0 for a frozen model: they are constants of its graph).
  std::int64_t parameters = 0;
  bool frozen = false;  ///< weights are constants of the graph
};

class Network;

/// A network on one device, in eval mode: a TorchScript model, or one of another backend. Copies
/// share it, and nothing here changes it.
class Model {
 public:
  struct State;

  /// For backends of this library. Use load_model or `Model::of`.
  explicit Model(std::shared_ptr<State> state) : state_(std::move(state)) {}
  /// A model of another backend. `name` stands in errors and results.
  static Model of(std::shared_ptr<const Network> network, const std::string& name,
                  at::Device device = at::kCPU);

  /// The backend.
  const Network& network() const;

  /// The output of the untouched network. @throws Error when the model does not take these inputs
  c10::IValue forward_values(const std::vector<c10::IValue>& inputs) const;
  /// The logits for some tensors: the part of the output that the output key selects.
  at::Tensor forward(const std::vector<at::Tensor>& inputs) const;

  /// What the model says of itself without a pass.
  ModelDescription description() const;
  /// Where parameters lie and inputs are taken to.
  at::Device device() const;
  /// The number of devices that the archive's code names and that were replaced by this one.
  std::int64_t moved_devices() const;
  /// The dtype of the first floating-point parameter, buffer or constant; float32 where the model
  /// has none.
  at::ScalarType dtype() const;
  const std::string& name() const;  ///< the file it came from, or "sequential"
  /// Which part of the output the logits are.
  const OutputKey& output_key() const;
  const std::string& method() const;  ///< the method that runs; "forward" by default
  /// Whether the first dimension of values counts samples. If not, the network takes one sample at
  /// a time, and this library adds a first dimension of size 1 to all tensors, taps included.
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
  /// The same network with another part of its output as the logits.
  Model with_output(OutputKey key) const;
  /// The same network with another method as the one that runs. The inputs fill its arguments in
  /// order. @throws Error where the network has no such method
  Model with_method(const std::string& method) const;
  /// Another archive with the device, method, arguments and output key of this one.
  /// @throws Error as load_model does
  Model loaded_like(const std::filesystem::path& file) const;

  /// The paths of buffers and attributes that forward writes in the current mode (training or
  /// evaluation). They come from the graph; where the graph hides a call, all paths are listed.
  const std::vector<std::string>& written() const;
  /// For each argument of forward: whether forward writes into it.
  const std::vector<bool>& written_inputs() const;
  /// Whether forward takes derivatives itself (of an energy, of a score).
  bool derives() const;
  /// The same network under another policy. Its present state becomes the start. Under `reset` and
  /// `carry`, a pass copies inputs that forward writes.
  Model with_state(StatePolicy policy) const;
  /// The same network under another policy, with the start that this model has. A model without a
  /// start takes its present state.
  Model with_policy(StatePolicy policy) const;
  /// The policy under which passes run.
  StatePolicy state_policy() const;
  /// Puts the start of `reset` or `carry` back. Does nothing under `live`.
  void restart() const;

  void set_training(bool on) const;  ///< for training loops; load_model and export give eval mode
  /// Whether the network is in training mode.
  bool is_training() const;

  /// Writes plain TorchScript. @throws Failure when writing fails
  void save(const std::filesystem::path& file) const;

  /// For backends of this library: what copies share.
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
/// "float32", "int64": the name of a dtype in configs and results.
std::string dtype_name(at::ScalarType dtype);
/// The dtype of that name.
/// @throws Error for an unknown name
at::ScalarType parse_dtype(const std::string& name);

}  // namespace descramble
