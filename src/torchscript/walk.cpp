#include "torchscript/walk.h"

#include <algorithm>
#include <set>
#include <unordered_map>
#include <utility>

#include <torch/csrc/jit/api/function_impl.h>

#include "torchscript/names.h"
#include "torchscript/node_numbers.h"
#include "torchscript/one_dimension.h"

namespace descramble {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;
namespace prim = torch::jit::prim;
namespace attr = torch::jit::attr;

namespace {

bool is_tensor(const Value* value) {
  return value->type()->isSubtypeOf(*c10::TensorType::get());
}

/// Takes an element out of a list or dict: no operation on a value.
bool takes_element(const Node* node) {
  const std::string name = node->kind().toUnqualString();
  return name == "__getitem__" || name == "get" || name == "pop";
}

/// Where the walk stands: in the body of which method of which module.
struct Frame {
  std::string owner{};
  std::string method{};
  bool silent = false;  ///< operations here are no points
  bool in_control_flow = false;
  std::vector<CallSite> chain{};
  std::shared_ptr<const NodeNumbers> numbers{};
};

class Walk {
 public:
  Walk(const TorchScript& script, const PointVisitor& visit)
      : visit_(visit), method_(script.method) {
    for (const auto& child : script.module.named_modules()) {
      if (!child.name.empty()) real_.insert(child.name);
    }
    graph_ = script.run_method().graph()->copy();
    paths_[graph_->inputs()[0]] = "";
  }

  std::shared_ptr<Graph> run() {
    // Operators of the top module are points, whatever its class: a frozen one has nothing else.
    Node* first = *graph_->nodes().begin();
    const Frame frame{.method = method_, .numbers = numbers_of(first, graph_->return_node())};
    inputs(first);
    // Input taps stand before `first` and are not walked.
    range(first, graph_->return_node(), frame);
    output();
    return graph_;
  }

 private:
  std::string unique(const std::string& base, bool real) {
    std::string name = base;
    // The first call of a real module has its name; everything else takes the next free one.
    for (int count = 1; used_.contains(name) || (real_.contains(name) && !(real && name == base));
         ++count) {
      name = base + "_" + std::to_string(count);
    }
    used_.insert(name);
    return name;
  }

  void inputs(Node* place) {
    for (std::size_t i = 1; i < graph_->inputs().size(); ++i) {
      Value* value = graph_->inputs()[i];
      if (!is_tensor(value)) continue;
      MetPoint met{.point = {unique("input", false), "input", value->type()->annotation_str()},
                   .argument = static_cast<std::int64_t>(i)};
      Value* tapped = visit_(met, value, place);
      if (tapped != value) value->replaceAllUsesAfterNodeWith(tapped->node(), tapped);
    }
  }

  void output() {
    Value* value = graph_->outputs()[0];
    if (!is_tensor(value)) return;
    MetPoint met{.point = {unique("output", false), "output", value->type()->annotation_str()}};
    Value* tapped = visited(met, value, graph_->return_node());
    if (tapped != value) graph_->return_node()->replaceInput(0, tapped);
  }

  void range(Node* begin, Node* end, const Frame& frame) {
    for (Node* node = begin; node != end;) {
      Node* next = node->next();
      step(node, next, frame);
      node = next;
    }
  }

  void step(Node* node, Node* next, const Frame& frame) {
    if (node->kind() == prim::GetAttr) {
      attribute(node);
    } else if (node->kind() == prim::CallMethod) {
      call_method(node, frame);
    } else if (node->kind() == prim::CallFunction) {
      call_function(node, next, frame);
    } else if (!node->blocks().empty()) {
      Frame inner = frame;
      inner.in_control_flow = true;
      for (Block* block : node->blocks()) {
        if (block->nodes().begin() != block->nodes().end())
          range(*block->nodes().begin(), block->return_node(), inner);
      }
    } else if (!frame.silent && node->kind().ns() != c10::namespaces::prim &&
               node->outputs().size() == 1 && is_tensor(node->output()) && !takes_element(node)) {
      std::string name = node->kind().toUnqualString();
      if (name.size() > 1 && name.back() == '_' && name[name.size() - 2] != '_') name.pop_back();
      operation(node, next, name, node->kind().toQualString(), frame);
    }
  }

  void attribute(Node* node) {
    const auto self = paths_.find(node->input());
    if (self == paths_.end()) return;
    const c10::TypePtr& type = node->output()->type();
    const auto class_type = type->cast<c10::ClassType>();
    if ((class_type && class_type->is_module()) || type->cast<c10::InterfaceType>()) {
      paths_[node->output()] = join_path(self->second, node->s(attr::name));
    }
  }

  MetPoint met_at(const Node* node, const Frame& frame, TapPoint point) const {
    MetPoint met{.point = std::move(point), .chain = frame.chain};
    met.point.in_control_flow = frame.in_control_flow;
    const auto number = frame.numbers->find(node);
    met.chain.push_back(
        {frame.owner, frame.method, number == frame.numbers->end() ? -1 : number->second});
    return met;
  }

  void argument_point(Node* node, const MetPoint& met) {
    for (std::size_t i = 0; i < node->inputs().size(); ++i) {
      if (!is_tensor(node->input(i))) continue;
      MetPoint argument = met;
      argument.point.name += ".input";
      argument.is_argument = true;
      argument.argument = static_cast<std::int64_t>(i);
      Value* tapped = visited(argument, node->input(i), node);
      if (tapped != node->input(i)) node->replaceInput(i, tapped);
      return;
    }
  }

  void operation(Node* node, Node* next, const std::string& short_name, const std::string& type,
                 const Frame& frame) {
    const std::string name = unique(join_path(frame.owner, short_name), false);
    const MetPoint met = met_at(node, frame, {name, "operator", type});
    argument_point(node, met);
    Value* value = node->output();
    Value* tapped = visited(met, value, next);
    if (tapped != value) value->replaceAllUsesAfterNodeWith(tapped->node(), tapped);
  }

  /// Puts the callee's body in front of `call` and walks it; returns its result.
  Value* inline_body(Node* call, Graph& body, at::ArrayRef<Value*> arguments, Frame frame) {
    Node* before = call->prev();
    Value* result = nullptr;
    {
      const torch::jit::WithInsertPoint here(call);
      result = torch::jit::insertGraph(*graph_, body, arguments)[0];
    }
    frame.numbers = numbers_of(before->next(), call);
    // The body may return a value that the walk is about to tap: hold on to it through the call.
    Node* holder = graph_->create(prim::Return, {result}, 0);
    holder->insertBefore(call);
    range(before->next(), holder, frame);
    result = holder->input(0);
    holder->destroy();
    return result;
  }

  /// Points of the tensors in a tuple: `lstm.0`, `lstm.1.0`.
  Value* elements(const MetPoint& met, Value* tuple, Node* place) {
    const auto type = tuple->type()->expect<c10::TupleType>();
    const bool any =
        std::any_of(type->elements().begin(), type->elements().end(), [](const c10::TypePtr& one) {
          return one->isSubtypeOf(*c10::TensorType::get()) ||
                 one->kind() == c10::TypeKind::TupleType;
        });
    if (!any) return tuple;
    std::vector<Value*> parts;
    if (tuple->node()->kind() == prim::TupleConstruct) {
      for (Value* part : tuple->node()->inputs()) parts.push_back(part);
    } else {
      const torch::jit::WithInsertPoint here(place);
      Node* unpack = graph_->insertNode(graph_->createTupleUnpack(tuple));
      for (Value* part : unpack->outputs()) parts.push_back(part);
    }
    bool changed = false;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      MetPoint one = met;
      one.point.name = met.point.name + "." + std::to_string(i);
      one.element.push_back(i);
      Value* tapped = parts[i];
      if (is_tensor(parts[i])) {
        one.point.name = unique(one.point.name, false);
        tapped = visited(one, parts[i], place);
      } else if (parts[i]->type()->kind() == c10::TypeKind::TupleType) {
        tapped = elements(one, parts[i], place);
      }
      changed = changed || tapped != parts[i];
      parts[i] = tapped;
    }
    if (!changed) return tuple;
    const torch::jit::WithInsertPoint here(place);
    return insert_tuple(*graph_, parts, type);
  }

  Value* visited(MetPoint met, Value* value, Node* place) {
    met.point.channels_first = comes_from_one_dimension(value);
    return visit_(met, value, place);
  }

  void finish_call(Node* call, Value* result, const MetPoint* met) {
    if (met != nullptr && result != nullptr) {
      result = result->type()->kind() == c10::TypeKind::TupleType ? elements(*met, result, call)
                                                                  : visited(*met, result, call);
    }
    if (result != nullptr) {
      call->output()->replaceAllUsesWith(result);
      call->destroy();
    }
  }

  void call_method(Node* call, const Frame& frame) {
    Value* self = call->input(0);
    const auto path = paths_.find(self);
    const std::string& called = call->s(attr::name);
    const std::string method = original_name(called);
    const bool result_is_tensor = is_tensor(call->output());
    const auto class_type = self->type()->cast<c10::ClassType>();
    if (path == paths_.end()) return;  // a method of a scripted class that is no module
    torch::jit::Function* callee = class_type ? class_type->findMethod(called) : nullptr;
    const bool known = callee != nullptr && callee->isGraphFunction();

    const bool own_helper = path->second == frame.owner;
    if (own_helper && known) {
      Frame inner = frame;
      inner.method = called;
      inner.chain = met_at(call, frame, {}).chain;
      Value* result =
          inline_body(call, *torch::jit::toGraphFunction(*callee).graph(), call->inputs(), inner);
      finish_call(call, result, nullptr);
      return;
    }
    const std::string base = is_forward(method) ? path->second : join_path(path->second, method);
    const std::string name = unique(base, is_forward(method));
    MetPoint met = met_at(call, frame, {name, "module", class_name(self->type())});
    if (is_forward(method)) met.callee = path->second;
    argument_point(call, met);
    if (!known) {
      // Called through an interface: what runs is unknown here, so only the result is a point.
      if (!result_is_tensor) return;
      Value* value = call->output();
      Value* tapped = visit_(met, value, call->next());
      if (tapped != value) value->replaceAllUsesAfterNodeWith(tapped->node(), tapped);
      return;
    }
    Frame inner{.owner = path->second,
                .method = called,
                .silent = is_torch_nn(self->type()),
                .in_control_flow = frame.in_control_flow,
                .chain = met.chain};
    Value* result =
        inline_body(call, *torch::jit::toGraphFunction(*callee).graph(), call->inputs(), inner);
    const bool is_tuple = call->output()->type()->kind() == c10::TypeKind::TupleType;
    finish_call(call, result, result_is_tensor || is_tuple ? &met : nullptr);
  }

  void call_function(Node* call, Node* next, const Frame& frame) {
    const auto type = call->input(0)->type()->cast<c10::FunctionType>();
    if (!type) return;
    torch::jit::Function* callee = type->function();
    const bool point = !frame.silent && is_tensor(call->output());
    MetPoint met{};
    if (point) {
      const std::string name =
          unique(join_path(frame.owner, function_name(callee->qualname())), false);
      met = met_at(call, frame, {name, "operator", callee->qualname().name()});
      argument_point(call, met);
    }
    if (!callee->isGraphFunction()) {
      if (!point) return;
      Value* tapped = visit_(met, call->output(), next);
      if (tapped != call->output())
        call->output()->replaceAllUsesAfterNodeWith(tapped->node(), tapped);
      return;
    }
    Frame inner = frame;
    inner.silent = true;
    Value* result = inline_body(call, *torch::jit::toGraphFunction(*callee).graph(),
                                call->inputs().slice(1), inner);
    finish_call(call, result, point ? &met : nullptr);
  }

  const PointVisitor& visit_;
  std::string method_;
  std::shared_ptr<Graph> graph_{};
  std::unordered_map<const Value*, std::string> paths_{};
  std::set<std::string> real_{};
  std::set<std::string> used_{};
};

}  // namespace

Value* insert_tuple(Graph& graph, const std::vector<Value*>& parts, const c10::TypePtr& type) {
  const auto tuple = type->expect<c10::TupleType>();
  // LibTorch takes the type of named tuples alone.
  Node* node = graph.createTuple(parts, tuple->schema() ? tuple : nullptr);
  return graph.insertNode(node)->output();
}

Node* insert_marker(Value* value, Node* place) {
  Node* marker = place->owningGraph()->create(at::aten::alias, {value}, 1)->insertBefore(place);
  marker->output()->setType(c10::TensorType::get());
  return marker;
}

std::shared_ptr<Graph> inlined_graph(const TorchScript& script, const PointVisitor& visit) {
  return Walk(script, visit).run();
}

}  // namespace descramble
