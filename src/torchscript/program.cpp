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

std::vector<c10::IValue> forward_stack(const TorchScript& script,
                                       const std::vector<c10::IValue>& inputs) {
  std::vector<c10::IValue> stack{script.module._ivalue()};
  stack.insert(stack.end(), inputs.begin(), inputs.end());
  script.schema()->checkAndNormalizeInputs(stack);
  return stack;
}

}  // namespace descramble
