#include "descramble/taps/path.h"

#include <algorithm>
#include <optional>
#include <set>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/jit/ir/constants.h>

#include "descramble/core/error.h"
#include "torchscript/walked.h"

namespace descramble {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;
namespace prim = torch::jit::prim;
namespace attr = torch::jit::attr;

namespace {

/// Reads the arguments of nodes.
class Arguments {
 public:
  Arguments(const Node* node, const Graph& graph, const torch::jit::Module& module)
      : node_(node), self_(graph.inputs()[0]), module_(module) {}

  /// Undefined for None; nothing where it is not known before the model runs.
  std::optional<at::Tensor> tensor(std::size_t i) const {
    const auto value = known(i);
    if (!value) return std::nullopt;
    if (value->isNone()) return at::Tensor();
    if (!value->isTensor()) return std::nullopt;
    return value->toTensor().detach();
  }
  std::optional<std::vector<std::int64_t>> integers(std::size_t i) const {
    const auto value = known(i);
    if (value && value->isIntList()) return value->toIntVector();
    if (value && value->isInt()) return std::vector<std::int64_t>{value->toInt()};
    const Node* list = node_->input(i)->node();
    while (list->kind() == prim::unchecked_cast || list->kind() == prim::unchecked_unwrap_optional)
      list = list->input(0)->node();
    if (list->kind() != prim::ListConstruct) return std::nullopt;
    std::vector<std::int64_t> result;
    for (const Value* element : list->inputs()) {
      const auto one = torch::jit::toIValue(element);
      if (!one || !one->isInt()) return std::nullopt;
      result.push_back(one->toInt());
    }
    return result;
  }
  std::optional<std::int64_t> integer(std::size_t i) const {
    const auto value = known(i);
    if (!value || !value->isInt()) return std::nullopt;
    return value->toInt();
  }
  std::optional<bool> boolean(std::size_t i) const {
    const auto value = known(i);
    if (!value || !value->isBool()) return std::nullopt;
    return value->toBool();
  }
  std::optional<double> number(std::size_t i) const {
    const auto value = known(i);
    if (!value || !(value->isDouble() || value->isInt())) return std::nullopt;
    return value->toScalar().toDouble();
  }
  bool is_none(std::size_t i) const {
    const auto value = known(i);
    return value && value->isNone();
  }

 private:
  std::optional<c10::IValue> known(std::size_t i) const {
    const Value* value = node_->input(i);
    if (const auto constant = torch::jit::toIValue(value)) return *constant;
    const std::string path = attribute_path(value, self_);
    if (path.empty()) return std::nullopt;
    return attribute_at(module_, path);
  }

  const Node* node_;
  const Value* self_;
  const torch::jit::Module& module_;
};

bool node_writes(const Node* node) {
  const auto* schema = node->maybeSchema();
  if (schema != nullptr && schema->is_mutable()) return true;
  for (const Block* block : node->blocks()) {
    for (const Node* inner : block->nodes()) {
      if (node_writes(inner)) return true;
    }
  }
  return false;
}

std::optional<PathStep> linear_step(const Arguments& given) {
  const auto weight = given.tensor(1);
  const auto bias = given.tensor(2);
  if (!weight || !weight->defined() || weight->dim() != 2 || !bias) return std::nullopt;
  return PathStep{.kind = PathStep::Kind::linear, .weight = *weight, .bias = *bias};
}

std::optional<PathStep> convolution_step(const Arguments& given, bool has_transposed) {
  const auto weight = given.tensor(1);
  const auto bias = given.tensor(2);
  const auto stride = given.integers(3);
  const auto padding = given.integers(4);
  const auto dilation = given.integers(5);
  const auto groups = given.integer(has_transposed ? 8 : 6);
  if (!weight || !weight->defined() || !bias || !stride || !padding || !dilation || !groups)
    return std::nullopt;
  if (has_transposed && given.boolean(6) != std::optional<bool>(false)) return std::nullopt;
  const auto whole = [&](std::vector<std::int64_t> one) {
    one.resize(static_cast<std::size_t>(weight->dim() - 2), one.at(0));
    return one;
  };
  if (stride->empty() || padding->empty() || dilation->empty()) return std::nullopt;
  return PathStep{.kind = PathStep::Kind::convolution,
                  .weight = *weight,
                  .bias = *bias,
                  .stride = whole(*stride),
                  .padding = whole(*padding),
                  .dilation = whole(*dilation),
                  .groups = *groups};
}

std::optional<PathStep> max_pool_step(const Arguments& given) {
  const auto kernel = given.integers(1);
  const auto stride = given.integers(2);
  const auto padding = given.integers(3);
  const auto dilation = given.integers(4);
  const auto ceil = given.boolean(5);
  if (!kernel || !stride || !padding || !dilation || !ceil) return std::nullopt;
  return PathStep{.kind = PathStep::Kind::max_pool,
                  .kernel = *kernel,
                  .stride = *stride,
                  .padding = *padding,
                  .dilation = *dilation,
                  .ceil_mode = *ceil};
}

std::optional<PathStep> average_pool_step(const Arguments& given) {
  const auto kernel = given.integers(1);
  const auto stride = given.integers(2);
  const auto padding = given.integers(3);
  const auto ceil = given.boolean(4);
  const auto include = given.boolean(5);
  const auto divisor = given.is_none(6) ? std::optional<std::int64_t>(0) : given.integer(6);
  if (!kernel || !stride || !padding || !ceil || !include || !divisor) return std::nullopt;
  return PathStep{.kind = PathStep::Kind::average_pool,
                  .kernel = *kernel,
                  .stride = *stride,
                  .padding = *padding,
                  .ceil_mode = *ceil,
                  .count_include_pad = *include,
                  .divisor = *divisor};
}

/// γ (h − μ)/√(σ² + ε) + β with the running μ and σ².
std::optional<PathStep> batch_norm_step(const Arguments& given) {
  const auto gamma = given.tensor(1);
  const auto beta = given.tensor(2);
  const auto mean = given.tensor(3);
  const auto variance = given.tensor(4);
  const auto training = given.boolean(5);
  const auto epsilon = given.number(7);
  if (!gamma || !beta || !mean || !variance || !training || !epsilon) return std::nullopt;
  if (*training || !mean->defined() || !variance->defined()) return std::nullopt;
  at::Tensor weight = (*variance + *epsilon).rsqrt();
  if (gamma->defined()) weight = weight * *gamma;
  at::Tensor bias = -*mean * weight;
  if (beta->defined()) bias = bias + *beta;
  return PathStep{.kind = PathStep::Kind::scale, .weight = weight, .bias = bias};
}

std::optional<PathStep> flatten_step(const Arguments& given) {
  if (given.integer(1) != std::optional<std::int64_t>(1) ||
      given.integer(2) != std::optional<std::int64_t>(-1)) {
    return std::nullopt;
  }
  return PathStep{.kind = PathStep::Kind::flatten};
}

/// What a node does to its first input; nothing: none of the operations of a path. A node that does
/// nothing at all has `identity` set.
std::optional<PathStep> step_of(const Node* node, const Arguments& given, bool& identity) {
  const std::string name = node->kind().toQualString();
  identity = name == "aten::alias" || name == "aten::contiguous";
  if (identity) return PathStep{};
  if (name == "aten::dropout" || name == "aten::dropout_" || name == "aten::feature_dropout") {
    identity = given.boolean(2) == std::optional<bool>(false);
    return identity ? std::optional<PathStep>(PathStep{}) : std::nullopt;
  }
  if (name == "aten::linear") return linear_step(given);
  if (name == "aten::conv1d" || name == "aten::conv2d" || name == "aten::conv3d")
    return convolution_step(given, false);
  if (name == "aten::_convolution" || name == "aten::convolution")
    return convolution_step(given, true);
  if (name == "aten::relu" || name == "aten::relu_")
    return PathStep{.kind = PathStep::Kind::rectifier};
  if (name == "aten::leaky_relu" || name == "aten::leaky_relu_") {
    const auto slope = given.number(1);
    if (!slope || *slope < 0) return std::nullopt;
    return PathStep{.kind = PathStep::Kind::rectifier, .slope = *slope};
  }
  if (name == "aten::max_pool2d") return max_pool_step(given);
  if (name == "aten::avg_pool2d") return average_pool_step(given);
  if (name == "aten::batch_norm") return batch_norm_step(given);
  if (name == "aten::flatten") return flatten_step(given);
  return std::nullopt;
}

}  // namespace

Path TorchScript::path(const std::string& from, const std::string& to) const {
  Node* begin = nullptr;
  Node* end = nullptr;
  const auto graph = unmarked_copy(walked(), [&](const MetPoint& met, Value* value, Node* place) {
    if (met.point.name != from && met.point.name != to) return value;
    if (met.point.in_control_flow) {
      throw Error({"no Jacobian at tap '" + met.point.name + "'", name,
                   "a point outside of `if` and `loop`",
                   "one inside, which fires any number of times"});
    }
    Node* marker = insert_marker(value, place);
    (met.point.name == from ? begin : end) = marker;
    return marker->output();
  });
  for (const auto& [marker, tap] : {std::pair{begin, from}, {end, to}}) {
    if (marker == nullptr) throw Error({"unknown tap '" + tap + "'", name});
  }
  if (end->isBefore(begin)) {
    throw Error({"no Jacobian between taps '" + from + "' and '" + to + "'", name,
                 "'" + from + "' to come before '" + to + "', once", "the other order"});
  }
  freeze_settings(graph, module);

  Path found;
  std::set<const Node*> taken{begin, end};
  const Value* value = end->input(0);
  while (value->node() != begin) {
    const Node* node = value->node();
    bool identity = false;
    std::optional<PathStep> step;
    if (node->kind() != prim::Param && !node->inputs().empty() &&
        node->owningBlock() == graph->block()) {
      step = step_of(node, Arguments(node, *graph, module), identity);
    }
    if (!step) {
      found.steps.clear();
      found.obstacle = node->kind() == prim::Param ? "input" : node->kind().toQualString();
      return found;
    }
    step->name = node->kind().toQualString();
    if (!identity) found.steps.insert(found.steps.begin(), std::move(*step));
    taken.insert(node);
    value = node->input(0);
  }
  // A write beside the path may reach into it.
  for (const Node* node = begin->next(); node != end && node != graph->return_node();
       node = node->next()) {
    if (node_writes(node) && !taken.contains(node)) {
      found.obstacle = node->kind().toQualString();
      found.steps.clear();
      return found;
    }
  }
  found.described = true;
  return found;
}

}  // namespace descramble
