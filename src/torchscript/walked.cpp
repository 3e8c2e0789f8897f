#include "torchscript/walked.h"

#include <set>

#include "torchscript/node_numbers.h"

namespace descramble {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

namespace {

c10::Symbol mark_kind() {
  static const c10::Symbol kind = c10::Symbol::fromQualString("descramble::point");
  return kind;
}

c10::Symbol number_attribute() {
  static const c10::Symbol name = c10::Symbol::attr("number");
  return name;
}

bool is_mark(const Node* node) {
  return node->kind() == mark_kind();
}

/// The marks of points nearest to `value` on every way back, by number.
std::set<std::int64_t> nearest_marks(const Value* value, const std::vector<MetPoint>& points) {
  std::set<std::int64_t> found;
  std::set<const Value*> seen;
  std::vector<const Value*> open{value};
  const auto add = [&](const Node* node) {
    for (const Value* input : node->inputs()) open.push_back(input);
  };
  while (!open.empty()) {
    const Value* one = open.back();
    open.pop_back();
    if (!seen.insert(one).second) continue;
    const Node* node = one->node();
    if (is_mark(node)) {
      const std::int64_t number = node->i(number_attribute());
      if (!points[static_cast<std::size_t>(number)].is_argument) {
        found.insert(number);
        continue;
      }
    }
    const Node* tuple = node->inputs().empty() ? nullptr : node->input(0)->node();
    if (node->kind() == torch::jit::prim::TupleUnpack &&
        tuple->kind() == torch::jit::prim::TupleConstruct) {
      open.push_back(tuple->input(one->offset()));
      continue;
    }
    add(node);
    // The values of an `if` come from its branches; what a `loop` begins with comes from outside of
    // it, or from its own end.
    for (const torch::jit::Block* block : node->blocks()) add(block->return_node());
    const torch::jit::Block* inside = node->owningBlock();
    if (node->kind() == torch::jit::prim::Param && inside->owningNode() != nullptr) {
      add(inside->owningNode());
      add(inside->return_node());
    }
  }
  return found;
}

void fill_sources(WalkedGraph& walked) {
  for (const Node* node : numbered_nodes(walked.graph->block())) {
    if (!is_mark(node)) continue;
    MetPoint& met = walked.points[static_cast<std::size_t>(node->i(number_attribute()))];
    for (const std::int64_t number : nearest_marks(node->input(), walked.points))
      met.point.from.push_back(walked.points[static_cast<std::size_t>(number)].point.name);
  }
}

}  // namespace

WalkedGraph walk_and_mark(const TorchScript& script) {
  WalkedGraph walked;
  walked.graph = inlined_graph(script, [&](const MetPoint& met, Value* value, Node* place) {
    Graph& graph = *place->owningGraph();
    Node* mark = graph.create(mark_kind(), {value}, 1)->insertBefore(place);
    mark->i_(number_attribute(), static_cast<std::int64_t>(walked.points.size()));
    walked.points.push_back(met);
    return mark->output()->setType(value->type());
  });
  fill_sources(walked);
  return walked;
}

std::shared_ptr<Graph> unmarked_copy(const WalkedGraph& walked, const PointVisitor& visit) {
  std::shared_ptr<Graph> graph = walked.graph->copy();
  std::vector<Node*> marks(walked.points.size());
  for (Node* node : numbered_nodes(graph->block())) {
    if (node->kind() == mark_kind())
      marks[static_cast<std::size_t>(node->i(number_attribute()))] = node;
  }
  for (std::size_t i = 0; i < marks.size(); ++i) {
    Value* value = visit(walked.points[i], marks[i]->input(), marks[i]);
    marks[i]->output()->replaceAllUsesWith(value);
    marks[i]->destroy();
  }
  return graph;
}

}  // namespace descramble
