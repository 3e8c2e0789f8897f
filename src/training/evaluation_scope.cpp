#include "descramble/training/evaluation_scope.h"

#include <functional>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include <ATen/Context.h>
#include <ATen/core/Generator.h>
#include <ATen/core/grad_mode.h>

#include "descramble/model/network.h"
#include "descramble/model/snapshot.h"
#include "descramble/taps/tap.h"

namespace descramble {

struct EvaluationScope::State {
  explicit State(const Model& of) : model(of), restore_modes(of.network().keep_modes()) {}
  ~State() {
    if (snapshot) snapshot->restore();
    restore_modes();
    for (auto& [generator, saved] : generators) {
      const std::lock_guard<std::mutex> lock(generator.mutex());
      generator.set_state(saved);
    }
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  Model model;
  std::function<void()> restore_modes;
  at::NoGradGuard no_grad{};
  TapScope::Adopted unheard = TapScope::adopt(nullptr);
  std::vector<std::pair<at::Generator, at::Tensor>> generators{};
  std::optional<Snapshot> snapshot{};
};

EvaluationScope::EvaluationScope(const Model& model) : state_(std::make_unique<State>(model)) {
  std::vector<at::Device> devices{at::kCPU};
  if (!model.device().is_cpu()) devices.push_back(model.device());
  for (const at::Device device : devices) {
    at::Generator generator = at::globalContext().defaultGenerator(device);
    const std::lock_guard<std::mutex> lock(generator.mutex());
    state_->generators.emplace_back(generator, generator.get_state());
  }
  model.set_training(false);
  state_->snapshot.emplace(model);
}

EvaluationScope::~EvaluationScope() = default;

}  // namespace descramble
