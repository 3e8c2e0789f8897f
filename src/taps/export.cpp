#include "descramble/taps/export.h"

#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>
#include <torch/csrc/jit/ir/constants.h>

#include "descramble/core/error.h"
#include "model/span.h"
#include "taps/memory.h"
#include "taps/retype.h"
#include "taps/walk.h"

namespace descramble {

using torch::jit::Graph;
using torch::jit::Module;
using torch::jit::Node;
using torch::jit::Value;
namespace prim = torch::jit::prim;
namespace aten = torch::jit::aten;
namespace attr = torch::jit::attr;

namespace {

/// What the walk over the original model tells about calls.
struct Survey {
  std::map<std::string, MetPoint> points{};
  /// (module, method) → the chains of calls by which it is reached.
  std::map<std::pair<std::string, std::string>, std::set<std::string>> contexts{};
  /// Module object → how often it is called.
  std::map<const void*, int> calls{};
  /// Path of an attribute ("fc1.weight") → how often the program reads it.
  std::map<std::string, int> reads{};
  /// Path of a module → where it is called.
  std::map<std::string, std::vector<CallSite>> sites{};
};

std::string context_of(const std::vector<CallSite>& chain, std::size_t length) {
  std::string text;
  for (std::size_t i = 0; i < length; ++i) {
    text += fmt::format("{}:{}:{}/", chain[i].module, chain[i].method, chain[i].node);
  }
  return text;
}

std::map<std::string, const void*> objects_by_path(const Module& module) {
  std::map<std::string, const void*> objects;
  for (const auto& child : module.named_modules())
    objects[child.name] = child.value._ivalue().get();
  return objects;
}

Survey survey_of(const Model::State& model) {
  Survey survey;
  const Module& module = model.module;
  const auto objects = objects_by_path(module);
  const auto graph = walk_forward(model, [&](const MetPoint& met, Value* value, Node*) {
    survey.points.emplace(met.point.name, met);
    for (std::size_t length = 0; length < met.chain.size(); ++length) {
      const CallSite& site = met.chain[length];
      survey.contexts[{site.module, site.method}].insert(context_of(met.chain, length));
    }
    if (const auto found = objects.find(met.callee);
        !met.callee.empty() && !met.is_argument && found != objects.end()) {
      ++survey.calls[found->second];
      survey.sites[met.callee].push_back(met.chain.back());
    }
    return value;
  });
  for (const Node* node : numbered_nodes(graph->block())) {
    if (node->kind() != prim::GetAttr) continue;
    const std::string path = attribute_path(node->output(), graph->inputs()[0]);
    if (!path.empty()) ++survey.reads[path];
  }
  return survey;
}

/// Spans of all tensors of distinct modules (tied weights stand there twice).
std::vector<Span> spans_of(const Module& module) {
  std::vector<Span> spans;
  std::set<const void*> seen;
  for (const auto& child : module.named_modules()) {
    if (!seen.insert(child.value._ivalue().get()).second) continue;
    for (const auto& attribute : child.value.named_attributes(false)) {
      for (const Span& span : spans_in(attribute.value)) spans.push_back(span);
    }
  }
  return spans;
}

/// A method's graph under edit, with its nodes numbered as they were before the first edit.
struct Body {
  std::string module{};
  std::shared_ptr<Graph> graph{};
  std::vector<Node*> nodes{};
};

class Exporter {
 public:
  Exporter(const Model& model, const std::vector<RotationEdit>& edits)
      : model_(model),
        original_(model.state().module),
        name_(model.name()),
        survey_(survey_of(model.state())),
        spans_(spans_of(original_)),
        objects_(objects_by_path(original_)),
        retyped_(original_, paths_of(edits)),
        dtype_(model.dtype()),
        device_(model.device()) {
    for (const std::string& method : other_methods(model)) {
      Model::State other(model.state());
      other.method = method;
      others_.emplace(method, survey_of(other));
    }
  }

  std::vector<RotationSide> apply(const RotationEdit& edit) {
    const MetPoint& met = survey_.points.at(edit.tap);
    Body& body = met.chain.empty() ? body_at({}, 0) : body_at(met.chain, met.chain.size() - 1);
    Graph& graph = *body.graph;
    // The value, the first node behind it, and the one use to rotate (an argument) or all of them.
    Value* value = nullptr;
    Node* place = nullptr;
    Node* only_user = nullptr;
    std::size_t only_input = 0;
    if (met.point.kind == "input") {
      value = graph.inputs()[static_cast<std::size_t>(met.argument)];
      place = *graph.nodes().begin();
    } else if (met.point.kind == "output") {
      value = graph.outputs()[0];
      only_user = place = graph.return_node();
    } else {
      Node* node = body.nodes.at(static_cast<std::size_t>(met.chain.back().node));
      if (met.is_argument) {
        only_user = place = node;
        only_input = static_cast<std::size_t>(met.argument);
        value = node->input(only_input);
      } else if (!met.element.empty()) {
        std::tie(value, place) = open_tuple(graph, node, met.element);
      } else {
        value = node->output();
        place = node->next();
      }
    }
    RotationSide left{.tap = edit.tap, .side = "left"};
    RotationSide right{.tap = edit.tap, .side = "right"};
    const bool in_memory = shares_written_memory(model_.state(), edit.tap);
    if (in_memory) {
      left.why = right.why = "the value shares memory that is written to";
    } else {
      fold_left(edit, body, value, only_user, left);
      fold_right(edit, body, value, only_user, right);
    }

    const torch::jit::WithInsertPoint here(place);
    Value* result = value;
    if (left.module.empty()) result = insert(edit, body, result, edit.rotation, "rotation", left);
    if (right.module.empty())
      result = insert(edit, body, result, edit.rotation.t(), "inverse", right);
    if (!in_memory && result != value) result = in_layout_of(graph, value, result);
    if (in_memory) {
      Value* blocking = graph.insertConstant(false);
      call(graph, aten::copy_, {value, result, blocking});
    } else if (result != value) {
      if (only_user != nullptr) {
        only_user->replaceInput(only_input, result);
      } else {
        std::vector<torch::jit::Use> uses(value->uses().begin(), value->uses().end());
        for (const torch::jit::Use& use : uses) {
          if (!new_nodes_.contains(use.user)) use.user->replaceInput(use.offset, result);
        }
      }
    }
    new_nodes_.clear();
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
      Body body{"", retyped_.graph("", model_.method()), {}};
      body.nodes = numbered_nodes(body.graph->block());
      return bodies_[key] = body;
    }
    Body& caller = body_at(chain, length - 1);
    const CallSite& site = chain[length];
    std::string method = site.method;
    if (survey_.contexts.at({site.module, site.method}).size() > 1) {
      const auto type = original_module(site.module).type();
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

  /// Why the layer cannot take a rotation in; empty: it can.
  std::string obstacle(const RotationEdit& edit, const std::string& path, bool input_side) const {
    if (path.empty()) return "no layer called there";
    const Module layer = original_module(path);
    const std::string kind = layer.type()->name()->name();
    const bool linear = kind == "Linear";
    const int spatial = kind == "Conv1d" ? 1 : kind == "Conv2d" ? 2 : kind == "Conv3d" ? 3 : 0;
    if (!is_torch_nn(layer.type()) || (!linear && spatial == 0))
      return fmt::format("'{}' is a {}", path, kind);
    const bool packed = layer.hasattr("_packed_params");
    if (!packed && !holds_weight(layer)) {
      return fmt::format(
          "'{}' computes its weight in forward (weight_norm or another "
          "parametrisation)",
          path);
    }
    if (packed || !layer.attr("weight").isTensor())
      return fmt::format("'{}' holds packed (quantised) weights", path);
    const at::Tensor weight = layer.attr("weight").toTensor();
    if (!weight.is_floating_point())
      return fmt::format("'{}' holds {} weights", path, dtype_name(weight.scalar_type()));
    const auto calls = survey_.calls.find(objects_.at(path));
    if (calls == survey_.calls.end() || calls->second != 1)
      return fmt::format("'{}' is called more than once", path);
    const auto reads = survey_.reads.find(path + ".weight");
    if (reads == survey_.reads.end() || reads->second != 1)
      return fmt::format("the weight of '{}' is read elsewhere too", path);
    const Span own = span_of(weight);
    const auto overlapping = std::count_if(spans_.begin(), spans_.end(),
                                           [&](const Span& other) { return own.overlaps(other); });
    if (overlapping > 1) return fmt::format("the weight of '{}' is tied", path);
    for (const auto& [method, other] : others_) {
      if (!reads_apart(other, path)) continue;
      return fmt::format("the method '{}' uses '{}' too", method, path);
    }
    const bool fits = linear ? edit.axis == Axis::features || edit.dimensions == 2
                             : edit.axis == Axis::channels && edit.dimensions == spatial + 2;
    if (!fits) return fmt::format("'{}' does not mix the axis '{}'", path, axis_name(edit.axis));
    const std::int64_t d = edit.rotation.size(0);
    if (weight.size(input_side ? 1 : 0) != d) {
      return spatial > 0
                 ? fmt::format("'{}' works in groups of channels", path)
                 : fmt::format("'{}' takes {} features", path, weight.size(input_side ? 1 : 0));
    }
    // A grouped convolution may still match by number: its output rows belong to separate groups.
    if (spatial > 0 && !input_side && grouped(path))
      return fmt::format("'{}' works in groups of channels", path);
    return "";
  }

  /// A weight of its own, and no parts that one is made from.
  static bool holds_weight(const Module& layer) {
    return layer.hasattr("weight") && !layer.hasattr("weight_g") && !layer.hasattr("weight_v") &&
           !layer.hasattr("weight_orig") && !layer.hasattr("parametrizations");
  }

  /// Whether another method reads the layer's weights elsewhere than by the call that is edited.
  bool reads_apart(const Survey& other, const std::string& path) const {
    int reads = 0;
    for (const char* name : {".weight", ".bias"}) {
      const auto found = other.reads.find(path + name);
      if (found != other.reads.end()) reads = std::max(reads, found->second);
    }
    if (reads == 0) return false;
    const auto here = survey_.sites.find(path);
    const auto there = other.sites.find(path);
    if (here == survey_.sites.end() || there == other.sites.end()) return true;
    const CallSite& site = here->second.front();
    const bool same =
        std::all_of(there->second.begin(), there->second.end(), [&](const CallSite& one) {
          return one.module == site.module && one.method == site.method && one.node == site.node;
        });
    return !same || reads != static_cast<int>(there->second.size());
  }

  bool grouped(const std::string& path) const {
    const auto group_argument = [](const Node* node) -> std::int64_t {
      const auto* schema = node->maybeSchema();
      if (schema == nullptr) return 1;
      for (std::size_t i = 0; i < schema->arguments().size() && i < node->inputs().size(); ++i) {
        if (schema->arguments()[i].name() != "groups") continue;
        const auto value = torch::jit::toIValue(node->input(i));
        return value && value->isInt() ? value->toInt() : 1;
      }
      return 1;
    };
    const Module layer = original_module(path);
    for (const auto& method : layer.get_methods()) {
      auto graph = method.graph();
      for (const Node* node : numbered_nodes(graph->block())) {
        if (group_argument(node) > 1) return true;
      }
    }
    return false;
  }

  Module original_module(const std::string& path) const { return module_at(original_, path); }

  void fold_left(const RotationEdit& edit, const Body& body, const Value* value,
                 const Node* only_user, RotationSide& side) {
    if (only_user != nullptr && value->uses().size() > 1) {
      side.why = "the value is used elsewhere too";
      return;
    }
    const std::string path = callee(body, value->node());
    side.why = obstacle(edit, path, false);
    if (!side.why.empty()) return;
    Module layer = retyped_.at(path);
    const at::Tensor weight = layer.attr("weight").toTensor();
    const at::Tensor folded =
        edit.rotation.matmul(weight.detach().to(at::kCPU, at::kDouble).flatten(1))
            .reshape(weight.sizes());
    set(layer, "weight", folded, weight);
    if (layer.hasattr("bias") && layer.attr("bias").isTensor() &&
        layer.attr("bias").toTensor().defined()) {
      const at::Tensor bias = layer.attr("bias").toTensor();
      set(layer, "bias", edit.rotation.mv(bias.detach().to(at::kCPU, at::kDouble)), bias);
    }
    side.module = path;
    side.weight = weight.detach();
    side.weight_descrambled = layer.attr("weight").toTensor().detach();
  }

  void fold_right(const RotationEdit& edit, const Body& body, const Value* value, Node* only_user,
                  RotationSide& side) {
    if (only_user == nullptr && value->uses().size() != 1) {
      side.why = value->uses().empty() ? "the value is used by nothing"
                                       : "the value is used more than once";
      return;
    }
    const Node* user = only_user != nullptr ? only_user : value->uses()[0].user;
    const std::string path = callee(body, user);
    side.why = obstacle(edit, path, true);
    if (!side.why.empty()) return;
    Module layer = retyped_.at(path);
    const at::Tensor weight = layer.attr("weight").toTensor();
    // W [out, in, …]: the input index is turned by P, W′[o, j] = Σ_i W[o, i] P[j, i].
    const at::Tensor plain = weight.detach().to(at::kCPU, at::kDouble);
    const at::Tensor folded =
        plain.movedim(1, -1).matmul(edit.rotation.t()).movedim(-1, 1).contiguous();
    set(layer, "weight", folded, weight);
    side.module = path;
    side.weight = weight.detach();
    side.weight_descrambled = layer.attr("weight").toTensor().detach();
  }

  static void set(Module& layer, const std::string& name, const at::Tensor& value,
                  const at::Tensor& like) {
    layer.setattr(name, value.to(like.device(), like.scalar_type())
                            .contiguous()
                            .set_requires_grad(like.requires_grad()));
  }

  Value* call(Graph& graph, c10::Symbol symbol, std::vector<Value*> inputs) {
    Node* node = graph.insertNode(graph.create(symbol, inputs, 1));
    node->output()->setType(c10::TensorType::get());
    new_nodes_.insert(node);
    return node->output();
  }

  /// The same numbers with the sizes and strides of `value`: later views rely on them.
  Value* in_layout_of(Graph& graph, Value* value, Value* result) {
    const auto constant = [&](const c10::IValue& item) {
      Value* made = graph.insertConstant(item);
      new_nodes_.insert(made->node());
      return made;
    };
    Value* none = constant(c10::IValue());
    Value* like = call(graph, aten::empty_like, {value, none, none, none, none, none});
    return call(graph, aten::copy_, {like, result, constant(false)});
  }

  /// Inserts the product of `matrix` with the value along the axis, at the graph's insert point.
  Value* insert(const RotationEdit& edit, const Body& body, Value* value, const at::Tensor& matrix,
                const std::string& role, RotationSide& side) {
    Graph& graph = *body.graph;
    Module owner = retyped_.at(body.module);
    std::string name = "descramble_" + edit.tap + "_" + role;
    std::replace(name.begin(), name.end(), '.', '_');
    while (owner.hasattr(name)) name += "_";
    const std::int64_t d = matrix.size(0);
    const std::int64_t spatial = edit.dimensions - 2;
    const bool convolve = edit.axis == Axis::channels && spatial >= 1 && spatial <= 3;
    at::Tensor buffer =
        matrix.to(device_, edit.dtype == at::ScalarType::Undefined ? dtype_ : edit.dtype)
            .contiguous();
    if (convolve) {
      std::vector<std::int64_t> sizes(static_cast<std::size_t>(edit.dimensions), 1);
      sizes[0] = sizes[1] = d;
      buffer = buffer.reshape(sizes);
    }
    owner.register_buffer(name, buffer.clone());
    side.buffer = join_path(body.module, name);
    Node* get = graph.insertNode(graph.createGetAttr(graph.inputs()[0], name));
    new_nodes_.insert(get);
    Value* weight = get->output();
    const auto constant = [&](const c10::IValue& item) {
      Value* made = graph.insertConstant(item);
      new_nodes_.insert(made->node());
      return made;
    };
    Value* none = constant(c10::IValue());
    if (convolve) {
      const std::vector<std::int64_t> ones(static_cast<std::size_t>(spatial), 1);
      const std::vector<std::int64_t> zeros(static_cast<std::size_t>(spatial), 0);
      const c10::Symbol symbol = c10::Symbol::fromQualString(fmt::format("aten::conv{}d", spatial));
      return call(graph, symbol,
                  {value, weight, none, constant(ones), constant(zeros), constant(ones),
                   constant(std::int64_t{1})});
    }
    const bool flat = edit.axis == Axis::features || edit.dimensions == 2;
    if (flat) return call(graph, aten::linear, {value, weight, none});
    Value* one = constant(std::int64_t{model_.batched() ? 1 : 0});
    Value* last = constant(std::int64_t{-1});
    const c10::Symbol movedim = c10::Symbol::fromQualString("aten::movedim");
    if (edit.axis == Axis::channels) {
      return call(
          graph, movedim,
          {call(graph, aten::linear, {call(graph, movedim, {value, one, last}), weight, none}),
           last, one});
    }
    Value* rows = call(graph, aten::flatten, {value, one, last});
    return call(graph, c10::Symbol::fromQualString("aten::reshape_as"),
                {call(graph, aten::linear, {rows, weight, none}), value});
  }

  Model model_;
  Module original_;
  std::string name_;
  Survey survey_;
  std::map<std::string, Survey> others_{};  ///< of the model's other methods
  std::vector<Span> spans_;
  std::map<std::string, const void*> objects_;
  Retyped retyped_;
  std::map<std::string, Body> bodies_{};
  std::set<const Node*> new_nodes_{};
  int variants_ = 0;
  at::ScalarType dtype_;
  at::Device device_;
};

}  // namespace

std::vector<std::string> other_methods(const Model& model) {
  std::vector<std::string> result;
  for (const auto& method : model.state().module.get_methods()) {
    const std::string& name = method.name();
    if (name != model.method() && !name.starts_with('_') &&
        name.find(variant_mark) == std::string::npos)
      result.push_back(name);
  }
  return result;
}

void require_exportable(const Model& model) {
  for (const auto& child : model.state().module.named_modules()) {
    const std::string hook = first_hook(child.value);
    if (hook.empty()) continue;
    throw Error({"a model with scripted hooks cannot be exported", model.name(),
                 "modules without hooks", fmt::format("'{}' of module '{}'", hook, child.name)});
  }
}

ExportedModel export_model(const Model& model, const std::vector<RotationEdit>& edits) {
  require_exportable(model);
  model.restart();
  Exporter exporter(model, edits);
  const c10::InferenceMode off(false);
  const at::NoGradGuard no_grad;
  std::vector<RotationSide> sides;
  for (const RotationEdit& edit : edits) {
    for (RotationSide& side : exporter.apply(edit)) sides.push_back(std::move(side));
  }
  auto state = std::make_shared<Model::State>(model.state());
  state->module = exporter.take();
  state->forget_writes();
  return {Model(state).with_state(state->policy), std::move(sides)};
}

}  // namespace descramble
