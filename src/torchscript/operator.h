#pragma once

#include <cstdint>
#include <memory>

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/ir/ir.h>

namespace descramble {

/// What stands behind one `descramble::tap(Tensor, int) -> Tensor` node.
class TapSlot {
 public:
  virtual ~TapSlot() = default;
  virtual at::Tensor fire(const at::Tensor& value) = 0;
};

/// Gives `slot` a number that is its own in this process and keeps it known until `forget_slot`.
std::int64_t remember_slot(TapSlot* slot);
void forget_slot(std::int64_t id);

/// A tap node on `value` in front of `place`; returns its output. The operator declares
/// conservative aliasing and side effects, so no pass may drop, merge or move it.
torch::jit::Value* insert_tap(torch::jit::Value* value, std::int64_t id, torch::jit::Node* place);

}  // namespace descramble
