#pragma once

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/ir/ir.h>

#include "descramble/taps/export.h"
#include "torchscript/node_writer.h"

namespace descramble {

/// A matrix [d, d] in the shape in which insert_product takes it as a weight.
at::Tensor product_weight(const RotationEdit& edit, const at::Tensor& matrix);

/// Inserts the product of a matrix, whose product_weight is `weight`, with the value along the
/// edit's axis. `batched`: a batch stands in front of the value.
torch::jit::Value* insert_product(NodeWriter& nodes, const RotationEdit& edit,
                                  torch::jit::Value* value, torch::jit::Value* weight,
                                  bool batched);

}  // namespace descramble
