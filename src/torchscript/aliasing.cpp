#include "torchscript/aliasing.h"

#include <torch/csrc/jit/ir/constants.h>

#include "torchscript/walked.h"

namespace descramble {

using torch::jit::AliasDb;
using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Use;
using torch::jit::Value;
namespace prim = torch::jit::prim;

bool holds_tensors(const c10::TypePtr& type) {
  if (type->isSubtypeOf(*c10::TensorType::get())) return true;
  for (const auto& inner : type->containedTypes()) {
    if (holds_tensors(inner)) return true;
  }
  return false;
}

namespace {

/// The branch that is taken where the condition is a constant; null where it is none.
const Block* constant_branch(const Node* node) {
  if (node->kind() != prim::If) return nullptr;
  const auto condition = torch::jit::toIValue(node->input(0));
  if (!condition || !condition->isBool()) return nullptr;
  return node->blocks()[condition->toBool() ? 0 : 1];
}

bool is_in_place(const Node* node) {
  const auto* schema = node->maybeSchema();
  if (schema == nullptr || schema->arguments().empty() || schema->returns().empty()) return false;
  const auto* given = schema->arguments()[0].alias_info();
  return given != nullptr && given->isWrite() && schema->returns()[0].alias_info() != nullptr;
}

template <typename Visit>
bool any_live_node(Block* block, const Visit& visit) {
  for (Node* node : block->nodes()) {
    if (visit(node)) return true;
    const Block* taken = constant_branch(node);
    for (Block* inner : node->blocks()) {
      if ((taken == nullptr || taken == inner) && any_live_node(inner, visit)) return true;
    }
  }
  return false;
}

/// Counters and running statistics of normalisation layers; not an attribute that the graph sets,
/// which may be the value itself.
bool writes_attribute(Node* node) {
  if (node->kind() == at::aten::batch_norm || node->kind() == at::aten::instance_norm) return true;
  if (node->inputs().empty() || node->input(0)->node()->kind() != prim::GetAttr) return false;
  const std::string& name = node->input(0)->node()->s(torch::jit::attr::name);
  return !any_live_node(node->owningGraph()->block(), [&name](Node* other) {
    return other->kind() == prim::SetAttr && other->s(torch::jit::attr::name) == name;
  });
}

bool writes_into(Node* node, const Value* value, const AliasDb& aliases) {
  return node->blocks().empty() && !writes_attribute(node) && aliases.writesToAlias(node, {value});
}

/// Whether the operation that made the value made it in place.
bool made_in_place(const Value* value) {
  const Node* node = value->node();
  if (const Block* taken = constant_branch(node))
    return made_in_place(taken->outputs()[value->offset()]);
  return is_in_place(node);
}

}  // namespace

bool written_to(Block* block, const Value* value, const AliasDb& aliases) {
  return any_live_node(block, [&](Node* node) { return writes_into(node, value, aliases); });
}

bool TorchScript::shares_written_memory(const std::string& tap) const {
  Node* marker = nullptr;
  bool in_place = false;
  const auto graph = unmarked_copy(walked(), [&](const MetPoint& met, Value* value, Node* place) {
    if (met.point.name != tap) return value;
    in_place = !met.is_argument && made_in_place(value);
    marker = insert_marker(value, place);
    return marker->output();
  });
  if (marker == nullptr) return false;
  const AliasDb aliases(graph);
  Value* value = marker->output();
  const auto used_later = [&](Value* other) {
    if (other == value || !holds_tensors(other->type()) || !aliases.mayContainAlias(other, value))
      return false;
    for (const Use& use : other->uses()) {
      if (use.user != marker && use.user->isAfter(marker)) return true;
    }
    return false;
  };
  bool shared = false;
  for (Value* input : graph->inputs().slice(1)) shared = shared || used_later(input);
  shared = shared || any_live_node(graph->block(), [&](Node* node) {
             if (node->kind() == prim::GetAttr || !node->isBefore(marker)) return false;
             for (Value* output : node->outputs()) {
               if (used_later(output)) return true;
             }
             return false;
           });
  if (!shared) return false;
  return in_place || any_live_node(graph->block(), [&](Node* node) {
           return node->isAfter(marker) && writes_into(node, value, aliases);
         });
}

}  // namespace descramble
