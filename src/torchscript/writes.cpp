#include "torchscript/writes.h"

#include <algorithm>
#include <map>
#include <set>

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/passes/constant_propagation.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/passes/peephole.h>

#include "torchscript/span.h"

namespace descramble {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Module;
using torch::jit::Node;
using torch::jit::Value;
namespace prim = torch::jit::prim;
namespace attr = torch::jit::attr;

std::string join_path(const std::string& path, const std::string& name) {
  return path.empty() ? name : path + "." + name;
}

std::string attribute_path(const Value* value, const Value* self) {
  std::string path;
  while (value->node()->kind() == prim::GetAttr) {
    const std::string& name = value->node()->s(attr::name);
    path = path.empty() ? name : name + "." + path;
    value = value->node()->input();
  }
  return value == self ? path : "";
}

c10::IValue attribute_at(const Module& module, const std::string& path) {
  c10::IValue value = module._ivalue();
  for (std::size_t begin = 0; begin <= path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    value = value.toObject()->getAttr(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return value;
}

namespace {

template <typename Visit>
void for_each_node(Block* block, const Visit& visit) {
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    Node* node = *it;
    ++it;
    visit(node);
    for (Block* inner : node->blocks()) for_each_node(inner, visit);
  }
}

/// Attributes that are no modules, by path; one that has two paths, twice.
template <typename Visit>
void for_each_attribute(const c10::IValue& object, const std::string& path, const Visit& visit) {
  const auto& type = object.toObjectRef().type();
  for (std::size_t i = 0; i < type->numAttributes(); ++i) {
    const c10::IValue& value = object.toObjectRef().getSlot(i);
    const std::string child = join_path(path, type->getAttributeName(i));
    if (value.isModule())
      for_each_attribute(value, child, visit);
    else
      visit(child, value);
  }
}

bool is_plain(const c10::IValue& value) {
  return value.isNone() || value.isBool() || value.isInt() || value.isDouble() || value.isString();
}

/// "calls" of `self.calls = …`, however long the chain to the object.
std::string set_path(const Node* node, const Value* self) {
  if (node->input(0) == self) return node->s(attr::name);
  const std::string owner = attribute_path(node->input(0), self);
  return owner.empty() ? "" : join_path(owner, node->s(attr::name));
}

}  // namespace

std::set<std::string> attributes_set(const std::shared_ptr<Graph>& graph) {
  std::set<std::string> paths;
  for_each_node(graph->block(), [&](const Node* node) {
    if (node->kind() == prim::SetAttr) paths.insert(set_path(node, graph->inputs()[0]));
  });
  return paths;
}

void freeze_settings(const std::shared_ptr<Graph>& graph, const Module& module) {
  const Value* self = graph->inputs()[0];
  // A module may have two names: what is set through the one is read through the other.
  std::set<std::pair<const void*, std::string>> set_here;
  const auto owned = [&module](const std::string& path) {
    const std::size_t dot = path.rfind('.');
    if (dot == std::string::npos) return std::pair<const void*, std::string>(nullptr, path);
    const c10::IValue owner = attribute_at(module, path.substr(0, dot));
    return std::pair<const void*, std::string>(owner.toObject().get(), path.substr(dot + 1));
  };
  for (const std::string& path : attributes_set(graph)) {
    if (!path.empty()) set_here.insert(owned(path));
  }
  for_each_node(graph->block(), [&](Node* node) {
    if (node->kind() != prim::GetAttr) return;
    const std::string path = attribute_path(node->output(), self);
    if (path.empty() || set_here.contains(owned(path))) return;
    const c10::IValue value = attribute_at(module, path);
    if (!is_plain(value)) return;
    const torch::jit::WithInsertPoint here(node);
    node->output()->replaceAllUsesWith(graph->insertConstant(value));
  });
  // `x is None` of what cannot be None decides branches, too.
  std::shared_ptr<Graph> shared = graph;
  torch::jit::PeepholeOptimize(shared, /*disable_shape_peepholes=*/true);
  torch::jit::ConstantPropagation(shared);
}

namespace {

class Tracer {
 public:
  explicit Tracer(std::shared_ptr<Graph> graph)
      : graph_(std::move(graph)), self_(graph_->inputs()[0]) {
    result_.inputs.assign(graph_->inputs().size() - 1, false);
  }

  std::vector<std::string> behind(const Value* value) {
    written(value);
    return {attributes_.begin(), attributes_.end()};
  }

  Writes run(const Module& module) {
    for_each_node(graph_->block(), [this](const Node* node) {
      if (node->kind() != prim::SetAttr) return;
      const std::string path = set_path(node, self_);
      if (!path.empty()) set_values_[path].push_back(node->input(1));
    });
    for_each_node(graph_->block(), [this](const Node* node) { step(node); });
    if (result_.opaque) {
      everything(module._ivalue(), "");
      result_.inputs.assign(result_.inputs.size(), true);
    }
    add_overlapping(module);
    result_.attributes.assign(attributes_.begin(), attributes_.end());
    return std::move(result_);
  }

 private:
  void step(const Node* node) {
    if (node->kind() == prim::CallMethod || node->kind() == prim::CallFunction ||
        node->kind() == prim::fork || node->hasAttribute(attr::Subgraph)) {
      result_.opaque = true;
      return;
    }
    if (node->kind() == prim::SetAttr) {
      const std::string path = set_path(node, self_);
      if (path.empty())
        written(node->input(0));  // of an object that is no module
      else
        attributes_.insert(path);
      return;
    }
    const std::string kind = node->kind().toQualString();
    if (kind == "aten::grad" || kind == "aten::backward") result_.derives = true;
    if (kind == "aten::requires_grad_") return;  // writes no memory
    const auto* schema = node->maybeSchema();
    if (schema == nullptr) return;
    const bool normalises = moves_statistics(node, *schema);
    for (std::size_t i = 0; i < schema->arguments().size() && i < node->inputs().size(); ++i) {
      const auto* alias = schema->arguments()[i].alias_info();
      const std::string& name = schema->arguments()[i].name();
      const bool moved = normalises && (name == "running_mean" || name == "running_var");
      if (moved || (alias != nullptr && alias->isWrite())) written(node->input(i));
    }
  }

  /// Schemas of normalisations do not say that they write their running statistics.
  static bool moves_statistics(const Node* node, const c10::FunctionSchema& schema) {
    bool keeps = false;
    bool may_write = false;
    for (std::size_t i = 0; i < schema.arguments().size() && i < node->inputs().size(); ++i) {
      const std::string& name = schema.arguments()[i].name();
      keeps = keeps || name == "running_mean";
      if (name != "training" && name != "train" && name != "use_input_stats") continue;
      const auto flag = torch::jit::toIValue(node->input(i));
      may_write = !flag || !flag->isBool() || flag->toBool();
    }
    return keeps && may_write;
  }

  void written(const Value* value) {
    std::set<const Value*> seen;
    trace(value, seen, !value->type()->isSubtypeOf(*c10::TensorType::get()));
  }

  /// Marks whatever memory the value may lie in. `container`: it is the container itself that is
  /// written, not what lies in it.
  void trace(const Value* value, std::set<const Value*>& seen, bool container) {
    if (!seen.insert(value).second) return;
    const Node* node = value->node();
    if (node->kind() == prim::GetAttr) {
      const std::string path = attribute_path(value, self_);
      if (path.empty()) {
        trace(node->input(), seen, container);
      } else {
        attributes_.insert(path);
        // It may be another attribute, or an input, that was put there before.
        const auto set = set_values_.find(path);
        if (set != set_values_.end()) {
          for (const Value* one : set->second) trace(one, seen, container);
        }
      }
      return;
    }
    if (node->kind() == prim::Param) {
      parameter(value, seen, container);
      return;
    }
    if (node->kind() == prim::Constant) return;
    if (!node->blocks().empty()) {
      for (const Block* block : node->blocks()) {
        // A loop's block returns its condition first.
        const std::size_t shift = node->kind() == prim::Loop ? 1 : 0;
        trace(block->outputs()[value->offset() + shift], seen, container);
      }
      if (node->kind() == prim::Loop) trace(node->input(value->offset() + 2), seen, container);
      return;
    }
    if (node->kind().ns() == c10::namespaces::prim) {
      const bool makes = node->kind() == prim::ListConstruct ||
                         node->kind() == prim::DictConstruct ||
                         node->kind() == prim::TupleConstruct;
      if (makes && container) return;
      if (makes || node->kind() == prim::CreateObject) follow_uses(value, seen);
      // What is unpacked may be a container that lies in another one.
      const bool whole =
          node->kind() == prim::unchecked_cast || node->kind() == prim::unchecked_unwrap_optional;
      for (const Value* input : node->inputs()) trace(input, seen, container && whole);
      return;
    }
    // The schema says in which inputs the result may lie: in those of its alias set, or in any (*).
    const auto* schema = node->maybeSchema();
    if (schema == nullptr || value->offset() >= schema->returns().size()) return;
    const c10::AliasInfo* own = schema->returns()[value->offset()].alias_info();
    if (own == nullptr) {
      // New memory; but what lies in a new container may be what lies in the inputs.
      if (is_container(value)) put_into(value, seen, container);
      return;
    }
    const bool any = own->isWildcardBefore() || own->isWildcardAfter();
    for (std::size_t i = 0; i < node->inputs().size(); ++i) {
      const bool shares =
          i < schema->arguments().size() && schema->arguments()[i].alias_info() != nullptr;
      if (any || shares) trace(node->input(i), seen, container && !any);
    }
  }

  static bool is_container(const Value* value) {
    const auto kind = value->type()->kind();
    return kind == c10::TypeKind::ListType || kind == c10::TypeKind::DictType ||
           kind == c10::TypeKind::TupleType || kind == c10::TypeKind::ClassType;
  }

  /// Follows what a new container was made of, and what was put into it later.
  void put_into(const Value* value, std::set<const Value*>& seen, bool container) {
    if (container) return;
    for (const Value* input : value->node()->inputs()) trace(input, seen, false);
    follow_uses(value, seen);
  }

  /// Follows what operators that write into a container, or set an object's attributes, put there.
  void follow_uses(const Value* value, std::set<const Value*>& seen) {
    for (const torch::jit::Use& use : value->uses()) {
      const auto* schema = use.user->maybeSchema();
      const bool sets = use.user->kind() == prim::SetAttr;
      const bool writes = schema != nullptr && use.offset < schema->arguments().size() &&
                          schema->arguments()[use.offset].alias_info() != nullptr &&
                          schema->arguments()[use.offset].alias_info()->isWrite();
      if (!sets && !writes) continue;
      for (const Value* input : use.user->inputs()) {
        if (input != value) trace(input, seen, false);
      }
    }
  }

  void parameter(const Value* value, std::set<const Value*>& seen, bool container) {
    const Block* block = value->node()->owningBlock();
    const Node* owner = block->owningNode();
    if (owner == nullptr) {  // of the graph itself
      for (std::size_t i = 1; i < graph_->inputs().size(); ++i) {
        if (graph_->inputs()[i] == value) result_.inputs[i - 1] = true;
      }
      return;
    }
    if (owner->kind() != prim::Loop || value->offset() == 0) return;
    trace(owner->input(value->offset() + 1), seen, container);
    trace(block->outputs()[value->offset()], seen, container);
  }

  void everything(const c10::IValue& object, const std::string& path) {
    for_each_attribute(object, path, [this](const std::string& child, const c10::IValue&) {
      const std::string name = child.substr(child.rfind('.') + 1);
      // LibTorch's own settings, which no forward writes.
      if (name != "training" && name != "_is_full_backward_hook") attributes_.insert(child);
    });
  }

  /// A write to one attribute is one to all whose memory is the same.
  void add_overlapping(const Module& module) {
    if (attributes_.empty() || result_.opaque) return;
    std::vector<Span> spans;
    for (const std::string& path : attributes_) {
      for (const Span& span : spans_in(attribute_at(module, path))) spans.push_back(span);
    }
    for_each_attribute(module._ivalue(), "",
                       [&](const std::string& path, const c10::IValue& value) {
                         if (overlap(spans_in(value), spans)) attributes_.insert(path);
                       });
  }

  std::shared_ptr<Graph> graph_;
  const Value* self_;
  std::set<std::string> attributes_{};
  std::map<std::string, std::vector<const Value*>> set_values_{};  ///< by the path that is set
  Writes result_{};
};

}  // namespace

std::vector<std::string> attributes_behind(const std::shared_ptr<Graph>& graph,
                                           const Value* value) {
  return Tracer(graph).behind(value);
}

Writes method_writes(const Module& module, const std::string& method) {
  std::shared_ptr<Graph> graph = module.get_method(method).graph()->copy();
  torch::jit::Inline(*graph);
  freeze_settings(graph, module);
  return Tracer(graph).run(module);
}

}  // namespace descramble
