#pragma once

#include <string>

#include <torch/csrc/jit/ir/alias_analysis.h>

#include "torchscript/torchscript.h"

namespace descramble {

/// Whether the type is a tensor, or a container that may hold one.
bool holds_tensors(const c10::TypePtr& type);

/// Whether a node of `block` writes into memory that `value` may share. Writes into attributes of
/// modules (counters of batch norm) and those in branches that a constant rules out do not count.
bool written_to(torch::jit::Block* block, const torch::jit::Value* value,
                const torch::jit::AliasDb& aliases);

}  // namespace descramble
