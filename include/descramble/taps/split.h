#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/model/model.h"
#include "descramble/model/snapshot.h"

namespace [[gnu::visibility("default")]] descramble {

/// What crosses a cut: the tapped value and everything else that the rest of the program still
/// needs (skip connections, shapes).
struct Cut {
  at::Tensor value{};  ///< the value of the tap, with the batch in front
  /// Values of the first half that the second half reads.
  std::shared_ptr<const std::vector<c10::IValue>> live{};
  /// What the first half has written of the model's state; nothing under the policy `live`.
  std::optional<Snapshot> written{};

  /// The same cut with another value at the tap.
  Cut with(at::Tensor other) const { return {std::move(other), live, written}; }
};

/// A model in two halves: suffix(prefix(x)) is the model's output, bit for bit. The suffix never
/// changes what it was given, so it may run any number of times on one cut. Unless the policy is
/// `live`, each run of it begins with the model's state as the prefix left it.
class SplitModel {
 public:
  struct State;
  /// For this library. Use `TappedModel::split`.
  explicit SplitModel(std::shared_ptr<const State> state) : state_(std::move(state)) {}

  /// Runs the first half on the inputs of some samples. @throws Error when the model does not take
  /// them
  Cut prefix(const std::vector<at::Tensor>& inputs) const;
  /// The same with the values of all arguments of the method.
  Cut prefix_values(const std::vector<c10::IValue>& inputs) const;
  /// The logits. @throws Error when the value does not fit
  at::Tensor suffix(const Cut& cut) const;
  /// The whole output. @throws Error when the value does not fit
  c10::IValue suffix_values(const Cut& cut) const;

 private:
  std::shared_ptr<const State> state_;
};

}  // namespace descramble
