#include "torchscript/walked.h"

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
