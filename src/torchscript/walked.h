#pragma once

#include <memory>
#include <vector>

#include <torch/csrc/jit/ir/ir.h>

#include "torchscript/walk.h"

namespace descramble {

/// The result of one walk through a model's method. It is kept with the model: taps, cuts, paths
/// and questions of aliasing start from a copy of its graph.
struct WalkedGraph {
  /// Inlined. A node `descramble::point(value) -> value` stands at each point.
  std::shared_ptr<torch::jit::Graph> graph{};
  /// In the order in which values come into being; a node's attribute `number` is an index here.
  std::vector<MetPoint> points{};
};

/// Walks through the method that runs.
WalkedGraph walk_and_mark(const TorchScript& script);

/// A copy of the graph in which `visit` has replaced each mark, in the order of the points.
std::shared_ptr<torch::jit::Graph> unmarked_copy(const WalkedGraph& walked,
                                                 const PointVisitor& visit);

}  // namespace descramble
