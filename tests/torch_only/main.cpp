// torch_only FIRST.pt SECOND.pt TOLERANCE DTYPE SHAPE...
//
// Runs two archives on the same random inputs (one SHAPE each, "2x3x8x8") and prints the largest
// difference of their outputs relative to the largest output of the first. Links LibTorch alone.
// Exit code 0: within TOLERANCE; 1: not; 2: something failed.

#include <exception>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include <torch/script.h>

namespace {

torch::jit::IValue random_input(const std::string& shape, at::ScalarType dtype) {
  std::vector<std::int64_t> sizes;
  std::istringstream text(shape);
  for (std::string size; std::getline(text, size, 'x');) sizes.push_back(std::stoll(size));
  return at::randn(sizes).to(dtype);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 6) {
    std::cerr << "usage: torch_only FIRST.pt SECOND.pt TOLERANCE float32|float64 SHAPE...\n";
    return 2;
  }
  try {
    const c10::InferenceMode inference;
    auto first = torch::jit::load(argv[1], at::kCPU);
    auto second = torch::jit::load(argv[2], at::kCPU);
    const double tolerance = std::stod(argv[3]);
    const at::ScalarType dtype = std::string(argv[4]) == "float64" ? at::kDouble : at::kFloat;
    at::manual_seed(1);
    std::vector<torch::jit::IValue> inputs;
    for (int i = 5; i < argc; ++i) inputs.push_back(random_input(argv[i], dtype));
    const at::Tensor expected = first.forward(inputs).toTensor().to(at::kDouble);
    const at::Tensor found = second.forward(inputs).toTensor().to(at::kDouble);
    const double difference =
        (found - expected).abs().max().item<double>() / expected.abs().max().item<double>();
    std::cout << difference << "\n";
    return difference <= tolerance ? 0 : 1;
  } catch (const std::exception& error) {
    std::cerr << "torch_only: " << error.what() << "\n";
    return 2;
  }
}
