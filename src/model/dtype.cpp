#include <cstddef>
#include <memory>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/inliner.h>

#include "descramble/core/error.h"
#include "descramble/model/model.h"
#include "model/copy_module.h"
#include "model/state.h"

namespace descramble {

std::string dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return "float32";
    case at::kDouble:
      return "float64";
    case at::kHalf:
      return "float16";
    case at::kBFloat16:
      return "bfloat16";
    case at::kLong:
      return "int64";
    case at::kInt:
      return "int32";
    case at::kShort:
      return "int16";
    case at::kChar:
      return "int8";
    case at::kByte:
      return "uint8";
    case at::kBool:
      return "bool";
    default:
      return c10::toString(dtype);
  }
}

at::ScalarType parse_dtype(const std::string& name) {
  std::vector<std::string> known;
  for (const auto dtype : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16, at::kLong, at::kInt,
                           at::kShort, at::kChar, at::kByte, at::kBool}) {
    if (dtype_name(dtype) == name) return dtype;
    known.push_back(dtype_name(dtype));
  }
  throw Error({"unknown dtype", "", "one of " + quoted_list(known), "'" + name + "'"});
}

std::string shape_text(const at::Tensor& tensor) {
  if (!tensor.defined()) return "an undefined tensor";
  return fmt::format(
      "{} {}", tensor.dim() == 0 ? "scalar" : fmt::format("{}", fmt::join(tensor.sizes(), "x")),
      dtype_name(tensor.scalar_type()));
}

at::ScalarType Model::dtype() const {
  for (const auto& parameter : state_->module.parameters(true)) {
    if (parameter.is_floating_point()) return parameter.scalar_type();
  }
  for (const auto& buffer : state_->module.buffers(true)) {
    if (buffer.is_floating_point()) return buffer.scalar_type();
  }
  for (const torch::jit::Node* node : state_->run_method().graph()->nodes()) {
    if (node->kind() != torch::jit::prim::Constant || !node->hasAttribute(torch::jit::attr::value))
      continue;
    if (node->kindOf(torch::jit::attr::value) != torch::jit::AttributeKind::t) continue;
    const at::Tensor& constant = node->t(torch::jit::attr::value);
    if (constant.is_floating_point() && constant.dim() > 0) return constant.scalar_type();
  }
  return at::kFloat;
}

namespace {

/// Name of the first operator under `block` that produces a fixed floating dtype, with the dtype.
std::string dtype_constant(torch::jit::Block* block, at::ScalarType wanted) {
  for (torch::jit::Node* node : block->nodes()) {
    for (torch::jit::Block* inner : node->blocks()) {
      if (std::string found = dtype_constant(inner, wanted); !found.empty()) return found;
    }
    if (const auto* schema = node->maybeSchema()) {
      for (std::size_t i = 0; i < schema->arguments().size() && i < node->inputs().size(); ++i) {
        if (schema->arguments()[i].name() != "dtype") continue;
        const auto value = torch::jit::toIValue(node->input(i));
        if (!value || !value->isInt()) continue;
        const auto dtype = static_cast<at::ScalarType>(value->toInt());
        if (at::isFloatingType(dtype) && dtype != wanted) {
          return fmt::format("{} ({})", node->kind().toQualString(), dtype_name(dtype));
        }
      }
    }
    if (node->kind() == torch::jit::prim::Constant && node->hasAttribute(torch::jit::attr::value) &&
        node->kindOf(torch::jit::attr::value) == torch::jit::AttributeKind::t) {
      const at::Tensor& constant = node->t(torch::jit::attr::value);
      if (constant.is_floating_point() && constant.dim() > 0 && constant.scalar_type() != wanted) {
        return fmt::format("a constant tensor of {}", shape_text(constant));
      }
    }
  }
  return "";
}

}  // namespace

Model Model::to_dtype(at::ScalarType wanted) const {
  auto graph = state_->run_method().graph()->copy();
  torch::jit::Inline(*graph);
  if (const std::string found = dtype_constant(graph->block(), wanted); !found.empty()) {
    throw Error({"cannot convert the model to " + dtype_name(wanted), state_->name,
                 "a graph without floating dtype constants", found});
  }
  auto copy = std::make_shared<State>(*state_);
  copy->module = copy_module(state_->module, wanted);
  copy->forget_writes();
  return Model(copy).with_state(copy->policy);
}

}  // namespace descramble
