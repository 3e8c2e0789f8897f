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

std::vector<c10::IValue> forward_stack(const Model& model, const std::vector<c10::IValue>& inputs) {
  std::vector<c10::IValue> stack{model.state().module._ivalue()};
  for (c10::IValue& input : model.state().begin_pass(inputs)) stack.push_back(std::move(input));
  try {
    model.state().run_method().function().getSchema().checkAndNormalizeInputs(stack);
  } catch (const std::exception& error) {
    throw input_error(model, inputs, error);
  }
  return stack;
}

}  // namespace descramble
