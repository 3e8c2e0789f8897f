#include "experiment/evaluation_scope.h"

#include <mutex>

#include <ATen/Context.h>

namespace descramble {

EvaluationScope::EvaluationScope(const Model& model)
    : model_(model), training_(model.is_training()) {
  std::vector<at::Device> devices{at::kCPU};
  if (!model.device().is_cpu()) devices.push_back(model.device());
  for (const at::Device device : devices) {
    at::Generator generator = at::globalContext().defaultGenerator(device);
    const std::lock_guard<std::mutex> lock(generator.mutex());
    generators_.emplace_back(generator, generator.get_state());
  }
  model.set_training(false);
  state_.emplace(model);
}

EvaluationScope::~EvaluationScope() {
  state_->restore();
  model_.set_training(training_);
  for (auto& [generator, state] : generators_) {
    const std::lock_guard<std::mutex> lock(generator.mutex());
    generator.set_state(state);
  }
}

}  // namespace descramble
