#include <cstddef>
#include <memory>

#include <fmt/format.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/passes/inliner.h>

#include "descramble/core/error.h"
#include "torchscript/copy_module.h"
#include "torchscript/torchscript.h"

namespace descramble {

at::ScalarType TorchScript::dtype() const {
  for (const auto& parameter : module.parameters(true)) {
    if (parameter.is_floating_point()) return parameter.scalar_type();
  }
  for (const auto& buffer : module.buffers(true)) {
    if (buffer.is_floating_point()) return buffer.scalar_type();
  }
  for (const torch::jit::Node* node : run_method().graph()->nodes()) {
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

std::shared_ptr<const Network> TorchScript::to_dtype(at::ScalarType wanted) const {
  auto graph = run_method().graph()->copy();
  torch::jit::Inline(*graph);
  if (const std::string found = dtype_constant(graph->block(), wanted); !found.empty()) {
    throw Error({"cannot convert the model to " + dtype_name(wanted), name,
                 "a graph without floating dtype constants", found});
  }
  auto copy = std::make_shared<TorchScript>(*this);
  copy->set_module(copy_module(module, wanted));
  return copy;
}

}  // namespace descramble
