#include <memory>
#include <set>
#include <unordered_map>
#include <utility>

#include <fmt/format.h>
#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>

#include "descramble/core/error.h"
#include "torchscript/aliasing.h"
#include "torchscript/program.h"
#include "torchscript/walked.h"

namespace descramble {

using torch::jit::AliasDb;
using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;
namespace prim = torch::jit::prim;

namespace {

/// A list or dict hands out its tensors, so any write may be one into them.
bool writes_anything(Block* block) {
  for (Node* node : block->nodes()) {
    for (Block* inner : node->blocks()) {
      if (writes_anything(inner)) return true;
    }
    const auto* schema = node->maybeSchema();
    if (schema != nullptr && schema->is_mutable()) return true;
  }
  return false;
}

/// Whether a `with` block of the forward graph is open at `marker`.
bool within_context(const Node* marker) {
  int open = 0;
  for (const Node* node = marker->prev();
       node->kind() != prim::Param && node->kind() != prim::Return; node = node->prev()) {
    if (node->kind() == prim::Enter) ++open;
    if (node->kind() == prim::Exit) --open;
  }
  return open > 0;
}

/// Copies the part of a graph behind a node, asking for each value from in front of it.
class SuffixBuilder {
 public:
  SuffixBuilder(const std::shared_ptr<Graph>& graph, Node* marker)
      : suffix_(std::make_shared<Graph>()) {
    Graph& whole = *graph;
    whole_self_ = whole.inputs()[0];
    set_here_ = attributes_set(graph);
    map(whole.inputs()[0], suffix_->addInput("self"));
    map(marker->output(), suffix_->addInput("tap"));
    live_.push_back(marker->output());
    aliases_ = std::make_unique<AliasDb>(graph);
    for (Node* node = marker->next(); node != whole.return_node(); node = node->next()) {
      Node* copy = suffix_->appendNode(
          suffix_->createClone(node, [this](Value* value) { return at_hand(value); }));
      for (std::size_t i = 0; i < node->outputs().size(); ++i)
        map(node->outputs()[i], copy->outputs()[i]);
    }
    suffix_->registerOutput(at_hand(whole.outputs()[0]));
  }

  const std::shared_ptr<Graph>& suffix() const { return suffix_; }
  const std::vector<Value*>& live() const { return live_; }
  AliasDb& aliases() { return *aliases_; }

 private:
  void map(Value* from, Value* to) {
    to->setType(from->type());
    known_[from] = to;
  }

  /// Constants, attributes of modules and unwritten lists are made anew in the suffix; anything
  /// else travels with the cut.
  bool remade(const Value* value) const {
    const Node* node = value->node();
    if (node->kind() == prim::Constant) return true;
    if (node->kind() == prim::GetAttr) {
      return !set_here_.contains(attribute_path(value, whole_self_)) &&
             remade_or_self(node->input());
    }
    if (node->kind() == prim::ListConstruct || node->kind() == prim::TupleConstruct) {
      return !aliases_->hasWriters(value);
    }
    return false;
  }
  bool remade_or_self(const Value* value) const {
    return known_.contains(value) || (value->node()->kind() == prim::GetAttr && remade(value));
  }

  Value* at_hand(Value* value) {
    if (const auto found = known_.find(value); found != known_.end()) return found->second;
    if (remade(value)) {
      Node* node = value->node();
      Node* copy = suffix_->createClone(node, [this](Value* input) { return at_hand(input); });
      if (last_made_ == nullptr) {
        suffix_->prependNode(copy);
      } else {
        copy->insertAfter(last_made_);
      }
      last_made_ = copy;
      map(value, copy->output());
      return copy->output();
    }
    live_.push_back(value);
    Value* input = suffix_->addInput();
    map(value, input);
    return input;
  }

  std::shared_ptr<Graph> suffix_;
  std::unique_ptr<AliasDb> aliases_{};
  std::unordered_map<const Value*, Value*> known_{};
  std::vector<Value*> live_{};
  Node* last_made_ = nullptr;
  std::set<std::string> set_here_{};
  const Value* whole_self_ = nullptr;
};

std::shared_ptr<Graph> build_prefix(Graph& whole, Node* marker, const std::vector<Value*>& live) {
  auto prefix = std::make_shared<Graph>();
  std::unordered_map<Value*, Value*> known;
  for (Value* input : whole.inputs()) known[input] = prefix->addInput()->setType(input->type());
  const auto at_hand = [&known](Value* value) { return known.at(value); };
  for (Node* node = *whole.nodes().begin();; node = node->next()) {
    Node* copy = prefix->appendNode(prefix->createClone(node, at_hand));
    for (std::size_t i = 0; i < node->outputs().size(); ++i)
      known[node->outputs()[i]] = copy->outputs()[i];
    if (node == marker) break;
  }
  std::vector<Value*> outputs;
  for (Value* value : live) outputs.push_back(known.at(value));
  prefix->registerOutput(prefix->appendNode(prefix->createTuple(outputs))->output());
  torch::jit::EliminateDeadCode(prefix);
  return prefix;
}

/// Puts a clone in front of every tensor input that the suffix writes to; says which containers the
/// caller must copy. Returns whether anything given is written to at all.
std::vector<bool> protect_inputs(const std::shared_ptr<Graph>& graph) {
  Graph& suffix = *graph;
  std::vector<bool> written(suffix.inputs().size(), false);
  {
    const AliasDb aliases(graph);
    for (std::size_t i = 1; i < suffix.inputs().size(); ++i) {
      const Value* input = suffix.inputs()[i];
      written[i] =
          !input->type()->isSubtypeOf(*c10::TensorType::get()) && holds_tensors(input->type())
              ? writes_anything(suffix.block())
              : written_to(suffix.block(), input, aliases);
    }
  }
  for (std::size_t i = 1; i < suffix.inputs().size(); ++i) {
    Value* input = suffix.inputs()[i];
    if (!written[i] || !input->type()->isSubtypeOf(*c10::TensorType::get())) continue;
    const torch::jit::WithInsertPoint here(*suffix.nodes().begin());
    Value* none = suffix.insertConstant(c10::IValue());
    Node* clone = suffix.insertNode(suffix.create(at::aten::clone, {input, none}, 1));
    clone->output()->setType(c10::TensorType::get());
    input->replaceAllUsesAfterNodeWith(clone, clone->output());
  }
  return written;
}

/// The two halves as programs.
class SplitGraph final : public SplitProgram {
 public:
  explicit SplitGraph(torch::jit::Method method) : method_(std::move(method)) {}

  Halfway prefix(const std::vector<c10::IValue>& inputs) const override {
    const c10::IValue found = first->run(forward_stack(method_, inputs));
    const auto& elements = found.toTupleRef().elements();
    auto live = std::make_shared<std::vector<c10::IValue>>();
    for (std::size_t i = 1; i < elements.size(); ++i) live->push_back(elements[i]);
    return {elements[0].toTensor(), std::move(live)};
  }

  c10::IValue suffix(const at::Tensor& value, const std::vector<c10::IValue>& live) const override {
    std::vector<c10::IValue> stack{method_.owner()._ivalue(), value};
    for (std::size_t i = 0; i < live.size(); ++i)
      stack.push_back(copied[i] ? live[i].deepcopy() : live[i]);
    return second->run(std::move(stack));
  }

  std::unique_ptr<Program> first{};
  std::unique_ptr<Program> second{};
  /// Containers of tensors that the second half may write into: copied before each run.
  std::vector<bool> copied{};

 private:
  torch::jit::Method method_;
};

}  // namespace

std::unique_ptr<SplitProgram> TorchScript::split(const std::string& tap) const {
  Node* marker = nullptr;
  auto whole = unmarked_copy(walked(), [&](const MetPoint& met, Value* value, Node* place) {
    if (met.point.name != tap) return value;
    if (met.point.in_control_flow) {
      throw Error({"the model cannot be cut at tap '" + tap + "'", name,
                   "a point outside of `if` and `loop`",
                   "one inside, which fires any number of times"});
    }
    marker = insert_marker(value, place);
    return marker->output();
  });
  if (marker == nullptr) throw Error({"unknown tap '" + tap + "'", name});
  if (derives()) {
    throw Error({"the model cannot be cut at tap '" + tap + "'", name,
                 "a forward that takes no derivatives", "autograd.grad within it"});
  }
  if (within_context(marker)) {
    throw Error({"the model cannot be cut at tap '" + tap + "'", name,
                 "a point outside of `with` blocks", "one inside"});
  }
  if (shares_written_memory(tap)) {
    throw Error({"the model cannot be cut at tap '" + tap + "'", name,
                 "a point whose value does not share memory that is written to",
                 "one that shares memory with a value used later"});
  }
  SuffixBuilder builder(whole, marker);
  auto result = std::make_unique<SplitGraph>(run_method());
  auto suffix = builder.suffix();
  const std::vector<Value*>& live = builder.live();
  const std::vector<bool> written = protect_inputs(suffix);
  for (std::size_t i = 0; i < live.size(); ++i) {
    const std::vector<std::string> attributes = attributes_behind(whole, live[i]);
    if (written[i + 1] && !attributes.empty()) {
      throw Error({"the model cannot be cut at tap '" + tap + "'", name,
                   "a point with no view at hand of a buffer that is written later",
                   "one of " + quoted_list(attributes)});
    }
    for (std::size_t j = 0; j < i; ++j) {
      if ((written[i + 1] || written[j + 1]) &&
          builder.aliases().mayContainAlias(live[i], live[j])) {
        throw Error({"the model cannot be cut at tap '" + tap + "'", name,
                     "a point where no two live values share memory that is written to later",
                     "views '" + live[i]->debugName() + "' and '" + live[j]->debugName() +
                         "' of one tensor"});
      }
    }
  }
  for (std::size_t i = 1; i < live.size(); ++i) {
    result->copied.push_back(written[i + 1] &&
                             !live[i]->type()->isSubtypeOf(*c10::TensorType::get()));
  }
  result->first = std::make_unique<Program>("prefix", build_prefix(*whole, marker, live));
  result->second = std::make_unique<Program>("suffix", suffix);
  return result;
}

}  // namespace descramble
