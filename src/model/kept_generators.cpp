#include "model/kept_generators.h"

#include <mutex>

#include <ATen/Context.h>

namespace descramble {

KeptGenerators::KeptGenerators(at::Device device) {
  std::vector<at::Device> devices{at::kCPU};
  if (device.is_cuda()) devices.push_back(device);
  for (const at::Device each : devices) {
    at::Generator generator = at::globalContext().defaultGenerator(each);
    const std::lock_guard<std::mutex> lock(generator.mutex());
    kept_.emplace_back(generator, generator.get_state());
  }
}

KeptGenerators::~KeptGenerators() {
  for (auto& [generator, saved] : kept_) {
    const std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(saved);
  }
}

}  // namespace descramble
