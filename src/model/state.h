#pragma once

#include <string>

#include <torch/csrc/jit/api/module.h>

#include "descramble/core/error.h"
#include "descramble/model/model.h"

namespace descramble {

struct Model::State {
  torch::jit::Module module;
  std::string name{};
  at::Device device = at::kCPU;
  OutputKey output{};
};

/// The sentence that a person needs out of a TorchScript exception (LibTorch's text is a stack).
std::string interpreter_message(const std::exception& error);

/// The complaint about inputs that the model does not take: shapes received and LibTorch's reason.
Error input_error(const std::string& model, const std::vector<c10::IValue>& inputs,
                  const std::exception& error);

}  // namespace descramble
