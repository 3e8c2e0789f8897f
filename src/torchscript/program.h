#pragma once

#include <memory>
#include <string>
#include <vector>

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/api/module.h>

namespace descramble {

/// A graph of our own, run by the simple executor: it has no profiling runs, so every run executes
/// the same plan, and autograd sees the operators themselves (double backward works).
class Program {
 public:
  Program(const std::string& name, std::shared_ptr<torch::jit::Graph> graph);

  /// @throws what the operators throw, as LibTorch passes it on
  c10::IValue run(std::vector<c10::IValue> stack) const;

 private:
  std::shared_ptr<torch::jit::GraphFunction> function_;
};

/// The stack for a pass: the module and its arguments, defaults filled in and types checked.
/// @throws what LibTorch throws for inputs that do not fit
std::vector<c10::IValue> forward_stack(const torch::jit::Method& method,
                                       const std::vector<c10::IValue>& inputs);

}  // namespace descramble
