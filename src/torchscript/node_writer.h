#pragma once

#include <set>
#include <string>
#include <vector>

#include <torch/csrc/jit/ir/ir.h>

namespace descramble {

/// Writes nodes into a graph, at its insert point, and remembers them.
class NodeWriter {
 public:
  explicit NodeWriter(torch::jit::Graph& graph) : graph_(graph) {}

  /// The tensor that an operator returns.
  torch::jit::Value* call(c10::Symbol symbol, const std::vector<torch::jit::Value*>& inputs);
  torch::jit::Value* constant(const c10::IValue& item);
  /// An attribute of the module whose method the graph is.
  torch::jit::Value* attribute(const std::string& name);

  /// The same numbers as `result` with the sizes and strides of `value`: later views rely on them.
  torch::jit::Value* in_layout_of(torch::jit::Value* value, torch::jit::Value* result);

  bool wrote(const torch::jit::Node* node) const { return written_.contains(node); }

 private:
  torch::jit::Graph& graph_;
  std::set<const torch::jit::Node*> written_{};
};

}  // namespace descramble
