#include "descramble/training/evaluation_scope.h"

#include <exception>
#include <functional>
#include <optional>
#include <utility>

#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>

#include "descramble/basis/rotation_pair.h"
#include "descramble/model/network.h"
#include "descramble/model/snapshot.h"
#include "descramble/taps/tap.h"
#include "model/kept_generators.h"

namespace descramble {

namespace {

/// One part of the restoring: the others follow whatever it throws.
void restored(const std::function<void()>& part) {
  try {
    part();
  } catch (const std::exception&) {  // a destructor must not throw
  }
}

}  // namespace

struct EvaluationScope::State {
  explicit State(const Model& of)
      : model(of), restore_modes(of.network().keep_modes()), generators(of.device()) {
    // Casts that were kept from passes with gradients, or are made without, belong to one side.
    at::autocast::clear_cache();
  }
  ~State() {
    if (snapshot) restored([this] { snapshot->restore(); });
    restored(restore_modes);
    at::autocast::clear_cache();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  Model model;
  std::function<void()> restore_modes;
  KeptGenerators generators;
  at::NoGradGuard no_grad{};
  TapScope::Adopted unheard = TapScope::adopt(nullptr);
  FixedCharts fixed_charts{};
  std::optional<Snapshot> snapshot{};
};

EvaluationScope::EvaluationScope(const Model& model) : state_(std::make_unique<State>(model)) {
  model.set_training(false);
  state_->snapshot.emplace(model);
}

EvaluationScope::~EvaluationScope() = default;

}  // namespace descramble
