#include "torchscript/one_dimension.h"

#include <set>
#include <string>

#include <torch/csrc/jit/ir/constants.h>

namespace descramble {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Value;
namespace prim = torch::jit::prim;

namespace {

/// Operations that leave each number where it is.
const std::set<std::string>& pointwise() {
  static const std::set<std::string> names{
      "abs",     "add",      "add_",     "alias", "clamp", "contiguous", "detach",     "div",
      "dropout", "dropout_", "elu",      "exp",   "gelu",  "hardtanh",   "leaky_relu", "mish",
      "mul",     "mul_",     "point",    "relu",  "relu_", "selu",       "sigmoid",    "sigmoid_",
      "silu",    "silu_",    "softplus", "sub",   "tanh",  "tanh_"};
  return names;
}

bool comes_from(const Value* value, int depth, std::set<const Value*>& seen) {
  // Branches meet again: a value is looked at once.
  if (depth == 0 || !seen.insert(value).second) return false;
  const Node* node = value->node();
  if (node->kind() == prim::If) {
    for (const Block* block : node->blocks()) {
      if (comes_from(block->outputs()[value->offset()], depth - 1, seen)) return true;
    }
    return false;
  }
  const std::string name = node->kind().toUnqualString();
  if (name.find("1d") != std::string::npos && name.find("pad") == std::string::npos) return true;
  if (name == "_convolution" || name == "convolution") {
    const Node* list = node->input(3)->node();  // the stride: one number
    const auto stride = torch::jit::toIValue(node->input(3));
    return (stride && stride->isIntList() && stride->toIntVector().size() == 1) ||
           (list->kind() == prim::ListConstruct && list->inputs().size() == 1);
  }
  // Normalisation works on any number of dimensions, with the channels in dimension 1.
  if (name == "batch_norm" || name == "instance_norm" || name == "group_norm") return true;
  if (!pointwise().contains(name) || node->inputs().empty()) return false;
  return comes_from(node->input(0), depth - 1, seen);
}

}  // namespace

bool comes_from_one_dimension(const Value* value) {
  constexpr int far = 64;
  std::set<const Value*> seen;
  return comes_from(value, far, seen);
}

}  // namespace descramble
