#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torch/csrc/jit/ir/ir.h>

#include "descramble/taps/point.h"
#include "torchscript/torchscript.h"
#include "torchscript/writes.h"

namespace descramble {

/// A call or operation in a method's graph: the module that owns the method (its path, "" the
/// model), the method, and the node's number in a depth-first walk of that method's graph.
struct CallSite {
  std::string module{};
  std::string method{};
  std::int64_t node = 0;
};

/// A point as it is met while the forward graph is being inlined.
struct MetPoint {
  TapPoint point{};
  /// From the model's forward down to the call or operation; empty for `input` and `output`.
  std::vector<CallSite> chain{};
  std::string callee{};       ///< path of the module that is called; empty for operations
  bool is_argument = false;   ///< NAME.input: the call's argument rather than its result
  std::int64_t argument = 0;  ///< which argument of the call, or which input of the model
  /// Where the call returns a tuple: the place of the value in it, from the outside in.
  std::vector<std::size_t> element{};
};

/// May put a node behind `value` (before `place`) and return its output, or return `value` as it
/// is.
using PointVisitor = std::function<torch::jit::Value*(const MetPoint&, torch::jit::Value* value,
                                                      torch::jit::Node* place)>;

/// Copies the graph of the method that runs, inlines every call by hand (the module path of each is
/// spelled by its GetAttr chain), and lets `visit` see every point in the order in which values
/// come into being. This is the walk itself; `TorchScript::walked` keeps its result.
std::shared_ptr<torch::jit::Graph> inlined_graph(const TorchScript& script,
                                                 const PointVisitor& visit);

/// Puts an aten::alias node on `value` in front of `place`: a node of its own, whose aliasing
/// LibTorch knows exactly.
torch::jit::Node* insert_marker(torch::jit::Value* value, torch::jit::Node* place);

/// Puts values together to a tuple of this type at the insert point.
torch::jit::Value* insert_tuple(torch::jit::Graph& graph,
                                const std::vector<torch::jit::Value*>& parts,
                                const c10::TypePtr& type);

}  // namespace descramble
