#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include <torch/csrc/jit/ir/ir.h>

namespace descramble {

/// Nodes of a graph in the depth-first order that CallSite::node counts in.
std::vector<torch::jit::Node*> numbered_nodes(torch::jit::Block* block);

using NodeNumbers = std::unordered_map<const torch::jit::Node*, std::int64_t>;

/// The same numbers for the nodes from `begin` up to `end`, as if they were a block.
std::shared_ptr<const NodeNumbers> numbers_of(torch::jit::Node* begin, const torch::jit::Node* end);

}  // namespace descramble
