#include "torchscript/node_writer.h"

#include <ATen/core/jit_type.h>
#include <torch/csrc/jit/ir/constants.h>

namespace descramble {

using torch::jit::Node;
using torch::jit::Value;
namespace aten = torch::jit::aten;

Value* NodeWriter::call(c10::Symbol symbol, const std::vector<Value*>& inputs) {
  Node* node = graph_.insertNode(graph_.create(symbol, inputs, 1));
  node->output()->setType(c10::TensorType::get());
  written_.insert(node);
  return node->output();
}

Value* NodeWriter::constant(const c10::IValue& item) {
  Value* made = graph_.insertConstant(item);
  written_.insert(made->node());
  return made;
}

Value* NodeWriter::attribute(const std::string& name) {
  Node* get = graph_.insertNode(graph_.createGetAttr(graph_.inputs()[0], name));
  written_.insert(get);
  return get->output();
}

Value* NodeWriter::in_layout_of(Value* value, Value* result) {
  Value* none = constant(c10::IValue());
  Value* like = call(aten::empty_like, {value, none, none, none, none, none});
  return call(aten::copy_, {like, result, constant(false)});
}

}  // namespace descramble
