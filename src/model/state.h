#pragma once

#include <exception>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/ivalue.h>

#include "descramble/core/error.h"
#include "descramble/model/model.h"
#include "descramble/model/network.h"
#include "descramble/model/snapshot.h"

namespace descramble {

struct Model::State {
  std::shared_ptr<const Network> network{};
  std::string name{};
  at::Device device = at::kCPU;
  OutputKey output{};
  std::string method = "forward";
  /// What fills each argument; absent: the inputs themselves, in order.
  std::shared_ptr<const std::vector<std::function<c10::IValue(const std::vector<at::Tensor>&)>>>
      fills{};
  bool batched = true;  ///< false: values inside have no batch in front, and outside a batch of one
  StatePolicy policy = StatePolicy::live;
  std::shared_ptr<const Snapshot> start{};  ///< what `reset` and `carry` begin with

  std::vector<c10::IValue> arguments(const std::vector<at::Tensor>& inputs) const;
  /// The logits in front of which a batch stands.
  at::Tensor logits(const c10::IValue& output) const;
  /// To be called before each pass: under `reset`, the model is back at its start. Returns the
  /// inputs, of which those are copies that the pass may write to, unless the policy is `live`.
  std::vector<c10::IValue> begin_pass(const std::vector<c10::IValue>& inputs) const;
};

/// The complaint about a pass that failed: what of model, inputs or LibTorch does not fit, with the
/// shapes received and LibTorch's reason.
Error input_error(const Model& model, const std::vector<c10::IValue>& inputs,
                  const std::exception& error);

}  // namespace descramble
