#include "torchscript/program.h"

namespace descramble {

Program::Program(const std::string& name, std::shared_ptr<torch::jit::Graph> graph)
    : function_(std::make_shared<torch::jit::GraphFunction>(
          c10::QualifiedName("__descramble__." + name), std::move(graph), nullptr,
          torch::jit::ExecutorExecutionMode::SIMPLE)) {}

c10::IValue Program::run(std::vector<c10::IValue> stack) const {
  function_->run(stack);
  return std::move(stack.front());
}

std::vector<c10::IValue> forward_stack(const torch::jit::Method& method,
                                       const std::vector<c10::IValue>& inputs) {
  std::vector<c10::IValue> stack{method.owner()._ivalue()};
  stack.insert(stack.end(), inputs.begin(), inputs.end());
  method.function().getSchema().checkAndNormalizeInputs(stack);
  return stack;
}

}  // namespace descramble
