#include "torchscript/walked.h"

#include <optional>
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

/// The output that is the same memory as an input, as the operator's schema says: a view of it, or
/// the result of writing into it.
bool passes_on(const Node* node, std::size_t input) {
  const auto* schema = node->maybeSchema();
  if (schema == nullptr || input >= schema->arguments().size()) return false;
  const auto* own = schema->arguments()[input].alias_info();
  if (own == nullptr || schema->returns().empty()) return false;
  const auto* result = schema->returns()[0].alias_info();
  return result != nullptr && node->outputs().size() == 1;
}

bool writes(const Node* node, std::size_t input) {
  const auto* schema = node->maybeSchema();
  if (schema == nullptr || input >= schema->arguments().size()) return false;
  const auto* own = schema->arguments()[input].alias_info();
  return own != nullptr && own->isWrite();
}

/// What writes into the memory of `value`, through views of it, before `reader` reads it.
std::vector<const Node*> writers_before(const Value* value, const Node* reader) {
  std::vector<const Node*> found;
  std::set<const Value*> seen;
  std::vector<const Value*> open{value};
  while (!open.empty()) {
    const Value* one = open.back();
    open.pop_back();
    if (!seen.insert(one).second) continue;
    for (const torch::jit::Use& use : one->uses()) {
      if (use.user == reader || !use.user->isBefore(reader)) continue;
      if (writes(use.user, use.offset)) found.push_back(use.user);
      if (is_mark(use.user) || passes_on(use.user, use.offset)) open.push_back(use.user->output());
    }
  }
  return found;
}

/// A value, and the node that reads it.
struct Read {
  const Value* value = nullptr;
  const Node* reader = nullptr;
};

/// The marks of points nearest to what `mark` marks on every way back, by number. A value that is
/// written to in between comes from what was written last.
std::set<std::int64_t> nearest_marks(const Node* mark, const std::vector<MetPoint>& points) {
  std::set<std::int64_t> found;
  std::set<const Value*> seen;
  std::vector<Read> open{{mark->input(), mark}};
  const auto add = [&](const Node* node) {
    for (const Value* input : node->inputs()) open.push_back({input, node});
  };
  const auto point_of = [&](const Node* node) -> std::optional<std::int64_t> {
    if (!is_mark(node)) return std::nullopt;
    const std::int64_t number = node->i(number_attribute());
    if (points[static_cast<std::size_t>(number)].is_argument) return std::nullopt;
    return number;
  };
  // The point of what a node writes, if it is one.
  const auto written_point = [&](const Node* writer) -> std::optional<std::int64_t> {
    for (const Value* output : writer->outputs()) {
      for (const torch::jit::Use& use : output->uses()) {
        const auto number = point_of(use.user);
        if (number && use.user != mark) return number;
      }
    }
    return std::nullopt;
  };
  while (!open.empty()) {
    const auto [value, reader] = open.back();
    open.pop_back();
    if (!seen.insert(value).second) continue;
    const Node* last = nullptr;
    for (const Node* writer : writers_before(value, reader)) {
      if (last == nullptr || last->isBefore(writer)) last = writer;
      if (!written_point(writer)) add(writer);
    }
    if (last != nullptr) {
      if (const auto number = written_point(last)) {
        found.insert(*number);
        continue;
      }
    }
    const Node* node = value->node();
    if (const auto number = point_of(node)) {
      found.insert(*number);
      continue;
    }
    const Node* tuple = node->inputs().empty() ? nullptr : node->input(0)->node();
    const std::size_t place = value->offset();
    const torch::jit::Block* inside = node->owningBlock();
    if (node->kind() == torch::jit::prim::TupleUnpack &&
        tuple->kind() == torch::jit::prim::TupleConstruct) {
      open.push_back({tuple->input(place), node});
    } else if (node->kind() == torch::jit::prim::If) {
      for (const torch::jit::Block* block : node->blocks())
        open.push_back({block->outputs()[place], block->return_node()});
    } else if (node->kind() == torch::jit::prim::Loop) {
      // Inputs are the number of rounds, the condition, and what goes round.
      open.push_back({node->input(place + 2), node});
      open.push_back({node->blocks()[0]->outputs()[place + 1], node->blocks()[0]->return_node()});
    } else if (node->kind() == torch::jit::prim::Param && inside->owningNode() != nullptr &&
               inside->owningNode()->kind() == torch::jit::prim::Loop && place > 0) {
      open.push_back({inside->owningNode()->input(place + 1), inside->owningNode()});
      open.push_back({inside->outputs()[place], inside->return_node()});
    } else {
      add(node);
      for (const torch::jit::Block* block : node->blocks()) add(block->return_node());
    }
  }
  return found;
}

void fill_sources(WalkedGraph& walked) {
  for (const Node* node : numbered_nodes(walked.graph->block())) {
    if (!is_mark(node)) continue;
    MetPoint& met = walked.points[static_cast<std::size_t>(node->i(number_attribute()))];
    for (const std::int64_t number : nearest_marks(node, walked.points))
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
