#include "descramble/taps/export.h"

#include <algorithm>
#include <cstddef>
#include <map>
#include <memory>
#include <set>
#include <tuple>
#include <utility>

#include <fmt/format.h>
#include <torch/csrc/jit/ir/constants.h>

#include "descramble/core/error.h"
#include "model/state.h"
#include "torchscript/aliasing.h"
#include "torchscript/explicit_rotation.h"
#include "torchscript/layer_folding.h"
#include "torchscript/names.h"
#include "torchscript/node_numbers.h"
#include "torchscript/node_writer.h"
#include "torchscript/retype.h"
#include "torchscript/survey.h"
#include "torchscript/torchscript.h"
#include "torchscript/walk.h"
#include "torchscript/writes.h"

namespace descramble {

using torch::jit::Graph;
using torch::jit::Module;
using torch::jit::Node;
using torch::jit::Value;
namespace prim = torch::jit::prim;
namespace aten = torch::jit::aten;
namespace attr = torch::jit::attr;

namespace {

/// A method's graph under edit, with its nodes numbered as they were before the first edit.
struct Body {
  std::string module{};
  std::shared_ptr<Graph> graph{};
  std::vector<Node*> nodes{};
};

class Exporter {
 public:
  Exporter(const TorchScript& script, bool batched, const std::vector<RotationEdit>& edits)
      : script_(script),
        batched_(batched),
        original_(script.module),
        name_(script.name),
        survey_(survey_of(script)),
        retyped_(original_, paths_of(edits)),
        folding_(script, survey_),
        dtype_(script.dtype()),
        device_(script.device) {}

  std::vector<RotationSide> apply(const RotationEdit& edit) {
    const MetPoint& met = survey_.points.at(edit.tap);
    Body& body = met.chain.empty() ? body_at({}, 0) : body_at(met.chain, met.chain.size() - 1);
    const Place place = place_of(met, body);
    RotationSide left{.tap = edit.tap, .side = "left"};
    RotationSide right{.tap = edit.tap, .side = "right"};
    const bool in_memory = script_.shares_written_memory(edit.tap);
    if (in_memory) {
      left.why = right.why = "the value shares memory that is written to";
    } else {
      fold_left(edit, body, place, left);
      fold_right(edit, body, place, right);
    }

    Graph& graph = *body.graph;
    const torch::jit::WithInsertPoint here(place.next);
    NodeWriter nodes(graph);
    Value* result = place.value;
    if (left.module.empty())
      result = insert(nodes, edit, body, result, edit.rotation, "rotation", left);
    if (right.module.empty())
      result = insert(nodes, edit, body, result, edit.rotation.t(), "inverse", right);
    if (in_memory) {
      Value* blocking = graph.insertConstant(false);
      nodes.call(aten::copy_, {place.value, result, blocking});
    } else if (result != place.value) {
      put(nodes.in_layout_of(place.value, result), place, nodes);
    }
    return {left, right};
  }

  Module take() { return retyped_.root(); }

 private:
  std::set<std::string> paths_of(const std::vector<RotationEdit>& edits) const {
    std::set<std::string> paths{""};
    std::set<std::string> taps;
    for (const RotationEdit& edit : edits) {
      if (!taps.insert(edit.tap).second) {
        throw Error(
            {"tap '" + edit.tap + "' is rotated twice", name_, "each tap once", "it twice"});
      }
      const auto found = survey_.points.find(edit.tap);
      if (found == survey_.points.end()) {
        std::vector<std::string> names;
        for (const auto& [known, met] : survey_.points) names.push_back(known);
        throw Error({"unknown tap '" + edit.tap + "'", name_,
                     "one of " + quoted_list(nearest(edit.tap, names)), "'" + edit.tap + "'"});
      }
      for (const CallSite& site : found->second.chain) {
        for (std::size_t end = 0; end != std::string::npos;) {
          end = site.module.find('.', end + 1);
          paths.insert(site.module.substr(0, end));
        }
      }
    }
    return paths;
  }

  /// Where in a graph a value is to be rotated.
  struct Place {
    Value* value = nullptr;
    Node* next = nullptr;       ///< the first node behind the value
    Node* only_user = nullptr;  ///< the one use to rotate (an argument); null: all of them
    std::size_t only_input = 0;
  };
  static Place place_of(const MetPoint& met, const Body& body) {
    Graph& graph = *body.graph;
    Place place;
    if (met.point.kind == "input") {
      place.value = graph.inputs()[static_cast<std::size_t>(met.argument)];
      place.next = *graph.nodes().begin();
    } else if (met.point.kind == "output") {
      place.value = graph.outputs()[0];
      place.only_user = place.next = graph.return_node();
    } else {
      Node* node = body.nodes.at(static_cast<std::size_t>(met.chain.back().node));
      if (met.is_argument) {
        place.only_user = place.next = node;
        place.only_input = static_cast<std::size_t>(met.argument);
        place.value = node->input(place.only_input);
      } else if (!met.element.empty()) {
        std::tie(place.value, place.next) = open_tuple(graph, node, met.element);
      } else {
        place.value = node->output();
        place.next = node->next();
      }
    }
    return place;
  }

  /// Puts `result` in the place of the value, but not where the new nodes themselves take it.
  static void put(Value* result, const Place& place, const NodeWriter& nodes) {
    if (place.only_user != nullptr) {
      place.only_user->replaceInput(place.only_input, result);
      return;
    }
    const std::vector<torch::jit::Use> uses(place.value->uses().begin(), place.value->uses().end());
    for (const torch::jit::Use& use : uses) {
      if (!nodes.wrote(use.user)) use.user->replaceInput(use.offset, result);
    }
  }

  /// Takes the tuple that a call returns apart and puts it together again behind: the element, and
  /// the node in front of which it may be changed.
  static std::pair<Value*, Node*> open_tuple(Graph& graph, Node* call,
                                             const std::vector<std::size_t>& element) {
    const torch::jit::WithInsertPoint behind(call->next());
    std::vector<Node*> opened;
    Value* value = call->output();
    for (const std::size_t i : element) {
      opened.push_back(graph.insertNode(graph.createTupleUnpack(value)));
      value = opened.back()->outputs()[i];
    }
    Node* place = nullptr;
    Value* rebuilt = value;
    for (std::size_t level = element.size(); level-- > 0;) {
      std::vector<Value*> parts(opened[level]->outputs().begin(), opened[level]->outputs().end());
      parts[element[level]] = rebuilt;
      rebuilt = insert_tuple(graph, parts, opened[level]->input()->type());
      if (place == nullptr) place = rebuilt->node();
    }
    Value* whole = call->output();
    const std::vector<torch::jit::Use> uses(whole->uses().begin(), whole->uses().end());
    for (const torch::jit::Use& use : uses) {
      if (use.user != opened.front()) use.user->replaceInput(use.offset, rebuilt);
    }
    return {value, place};
  }

  /// The body that holds link `length` of the chain: edited in place where it is reached by this
  /// chain alone, as a method of its own otherwise.
  Body& body_at(const std::vector<CallSite>& chain, std::size_t length) {
    const std::string key = context_of(chain, length);
    if (const auto found = bodies_.find(key); found != bodies_.end()) return found->second;
    if (length == 0) {
      Body body{"", retyped_.graph("", script_.method), {}};
      body.nodes = numbered_nodes(body.graph->block());
      return bodies_[key] = body;
    }
    Body& caller = body_at(chain, length - 1);
    const CallSite& site = chain[length];
    std::string method = site.method;
    if (survey_.contexts.at({site.module, site.method}).size() > 1) {
      const auto type = module_at(original_, site.module).type();
      do method = variant_name(site.method, ++variants_);
      while (type->findMethod(method) != nullptr);
      retyped_.copy_method(site.module, site.method, method);
      caller.nodes.at(static_cast<std::size_t>(chain[length - 1].node))->s_(attr::name, method);
    }
    Body body{site.module, retyped_.graph(site.module, method), {}};
    body.nodes = numbered_nodes(body.graph->block());
    return bodies_[key] = body;
  }

  /// The path of the module that a CallMethod node calls `forward` of; empty where it is not
  /// spelled out.
  std::string callee(const Body& body, const Node* call) const {
    if (call->kind() != prim::CallMethod || call->s(attr::name) != "forward") return "";
    const std::string path = attribute_path(call->input(0), body.graph->inputs()[0]);
    return path.empty() ? "" : join_path(body.module, path);
  }

  void fold_left(const RotationEdit& edit, const Body& body, const Place& place,
                 RotationSide& side) {
    if (place.only_user != nullptr && place.value->uses().size() > 1) {
      side.why = "the value is used elsewhere too";
      return;
    }
    const std::string path = callee(body, place.value->node());
    side.why = folding_.obstacle(edit, path, false);
    if (!side.why.empty()) return;
    fold_into_outputs(edit.rotation, path, retyped_.at(path), side);
  }

  void fold_right(const RotationEdit& edit, const Body& body, const Place& place,
                  RotationSide& side) {
    const auto& uses = place.value->uses();
    if (place.only_user == nullptr && uses.size() != 1) {
      side.why = uses.empty() ? "the value is used by nothing" : "the value is used more than once";
      return;
    }
    const Node* user = place.only_user != nullptr ? place.only_user : uses[0].user;
    const std::string path = callee(body, user);
    side.why = folding_.obstacle(edit, path, true);
    if (!side.why.empty()) return;
    fold_into_inputs(edit.rotation, path, retyped_.at(path), side);
  }

  /// Inserts the product of `matrix` with the value: the module that owns the body holds it.
  Value* insert(NodeWriter& nodes, const RotationEdit& edit, const Body& body, Value* value,
                const at::Tensor& matrix, const std::string& role, RotationSide& side) {
    Module owner = retyped_.at(body.module);
    std::string name = "descramble_" + edit.tap + "_" + role;
    std::replace(name.begin(), name.end(), '.', '_');
    while (owner.hasattr(name)) name += "_";
    const at::Tensor buffer =
        matrix.to(device_, edit.dtype == at::ScalarType::Undefined ? dtype_ : edit.dtype)
            .contiguous();
    owner.register_buffer(name, product_weight(edit, buffer).clone());
    side.buffer = join_path(body.module, name);
    return insert_product(nodes, edit, value, nodes.attribute(name), batched_);
  }

  const TorchScript& script_;
  bool batched_;
  Module original_;
  std::string name_;
  Survey survey_;
  Retyped retyped_;
  LayerFolding folding_;
  std::map<std::string, Body> bodies_{};
  int variants_ = 0;
  at::ScalarType dtype_;
  at::Device device_;
};

}  // namespace

void TorchScript::require_exportable() const {
  for (const auto& child : module.named_modules()) {
    const std::string hook = first_hook(child.value);
    if (hook.empty()) continue;
    throw Error({"a model with scripted hooks cannot be exported", name, "modules without hooks",
                 fmt::format("'{}' of module '{}'", hook, child.name)});
  }
}

ExportedModel TorchScript::exported(const Model& model,
                                    const std::vector<RotationEdit>& edits) const {
  Exporter exporter(*this, model.batched(), edits);
  const c10::InferenceMode off(false);
  const at::NoGradGuard no_grad;
  std::vector<RotationSide> sides;
  for (const RotationEdit& edit : edits) {
    for (RotationSide& side : exporter.apply(edit)) sides.push_back(std::move(side));
  }
  auto own = std::make_shared<TorchScript>(*this);
  own->set_module(exporter.take());
  auto state = std::make_shared<Model::State>(model.state());
  state->network = std::move(own);
  return {Model(state).with_state(state->policy), std::move(sides)};
}

}  // namespace descramble
