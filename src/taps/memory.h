#pragma once

#include <string>

#include <torch/csrc/jit/ir/alias_analysis.h>

#include "model/state.h"

namespace descramble {

/// Whether the type is a tensor, or a container that may hold one.
bool holds_tensors(const c10::TypePtr& type);

/// Whether a node of `block` writes into memory that `value` may share. Writes into attributes of
/// modules (counters of batch norm) and those in branches that a constant rules out do not count.
bool written_to(torch::jit::Block* block, const torch::jit::Value* value,
                const torch::jit::AliasDb& aliases);

/// Whether the value at a tap shares memory with another value that the program still uses, and one
/// of the two is written to: what is put in place of such a value must be put into its memory.
bool shares_written_memory(const Model::State& model, const std::string& tap);

}  // namespace descramble
