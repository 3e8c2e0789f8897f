#pragma once

#include <array>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <torch/csrc/jit/api/module.h>

#include "descramble/core/error.h"
#include "descramble/model/model.h"
#include "descramble/model/snapshot.h"
#include "model/interpreter_message.h"

namespace descramble {

struct Writes;

struct Model::State {
  torch::jit::Module module;
  std::string name{};
  at::Device device = at::kCPU;
  OutputKey output{};
  /// What the archive held besides the module, for the next one.
  std::unordered_map<std::string, std::string> extra_files{};
  bool bytecode = false;
  std::int64_t moved_devices = 0;    ///< devices in the code that were others
  std::set<std::string> training{};  ///< modules that were saved in train mode
  std::string method = "forward";
  /// What fills each argument; absent: the inputs themselves, in order.
  std::shared_ptr<const std::vector<std::function<c10::IValue(const std::vector<at::Tensor>&)>>>
      fills{};
  bool batched = true;  ///< false: values inside have no batch in front, and outside a batch of one
  StatePolicy policy = StatePolicy::live;
  std::shared_ptr<const Snapshot> start{};  ///< what `reset` and `carry` begin with

  torch::jit::Method run_method() const { return module.get_method(method); }
  std::vector<c10::IValue> arguments(const std::vector<at::Tensor>& inputs) const;
  /// The logits in front of which a batch stands.
  at::Tensor logits(const c10::IValue& output) const;
  /// What a pass may write in the mode that the module is in; found out once for each mode.
  const Writes& writes() const;
  /// To be called before each pass: under `reset`, the model is back at its start. Returns the
  /// inputs, of which those are copies that the pass may write to, unless the policy is `live`.
  std::vector<c10::IValue> begin_pass(const std::vector<c10::IValue>& inputs) const;

  /// For a copy that gets another module or method.
  void forget_writes() { writes_ = {}; }

 private:
  mutable std::array<std::shared_ptr<const Writes>, 2> writes_{};  ///< in eval and train mode
};

/// Name of the first scripted hook of a module; empty: it has none.
std::string first_hook(const torch::jit::Module& module);

/// The complaint about a pass that failed: what of model, inputs or LibTorch does not fit, with the
/// shapes received and LibTorch's reason.
Error input_error(const Model& model, const std::vector<c10::IValue>& inputs,
                  const std::exception& error);

}  // namespace descramble
