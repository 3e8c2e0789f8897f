#include "descramble/training/evaluation_scope.h"

#include <optional>

#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>

#include "core/at_end.h"
#include "descramble/basis/rotation_pair.h"
#include "descramble/model/network.h"
#include "descramble/model/snapshot.h"
#include "descramble/taps/tap.h"
#include "model/kept_generators.h"

namespace descramble {

/// The members are restored in the opposite order.
struct EvaluationScope::State {
  explicit State(const Model& model)
      : restore_modes(model.network().keep_modes()), generators(model.device()) {
    at::autocast::clear_cache();
  }

  AtEnd restore_modes;
  KeptGenerators generators;
  /// Casts that were kept from passes with gradients, or are made without, belong to one side.
  AtEnd clear_casts{[] { at::autocast::clear_cache(); }};
  at::NoGradGuard no_grad{};
  TapScope::Adopted unheard = TapScope::adopt(nullptr);
  FixedCharts fixed_charts{};
  std::optional<AtEnd> restore_state{};
};

EvaluationScope::EvaluationScope(const Model& model) : state_(std::make_unique<State>(model)) {
  model.set_training(false);
  state_->restore_state.emplace([before = Snapshot(model)] { before.restore(); });
}

EvaluationScope::~EvaluationScope() = default;

}  // namespace descramble
