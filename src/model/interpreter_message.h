#pragma once

#include <exception>
#include <string>

namespace descramble {

/// The sentence that a person needs out of a TorchScript exception (LibTorch's text is a stack).
std::string interpreter_message(const std::exception& error);

}  // namespace descramble
