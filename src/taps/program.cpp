#include "taps/program.h"

namespace descramble {

Program::Program(const std::string& name, std::shared_ptr<torch::jit::Graph> graph)
    : function_(std::make_shared<torch::jit::GraphFunction>(
          c10::QualifiedName("__descramble__." + name), std::move(graph), nullptr,
          torch::jit::ExecutorExecutionMode::SIMPLE)) {}

c10::IValue Program::run(std::vector<c10::IValue> stack) const {
  function_->run(stack);
  return std::move(stack.front());
}

std::vector<c10::IValue> forward_stack(const Model::State& model,
                                       const std::vector<c10::IValue>& inputs) {
  std::vector<c10::IValue> stack{model.module._ivalue()};
  for (c10::IValue& input : model.begin_pass(inputs)) stack.push_back(std::move(input));
  try {
    model.run_method().function().getSchema().checkAndNormalizeInputs(stack);
  } catch (const std::exception& error) {
    throw input_error(model.name, inputs, error);
  }
  return stack;
}

}  // namespace descramble
