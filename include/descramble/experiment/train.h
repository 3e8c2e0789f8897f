#pragma once

#include <functional>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "descramble/config/kind.h"
#include "descramble/core/progress.h"
#include "descramble/data/data_set.h"
#include "descramble/experiment/score.h"
#include "descramble/model/model.h"

namespace descramble {

/// Fields of "train", and the families of optimisers and schedules.
const FieldSet& train_fields();
const KindFamily& optimizer_family();
const KindFamily& schedule_family();
/// Fields of one of train's "probes".
const FieldSet& probe_fields();

/// What one epoch came to.
struct Epoch {
  std::int64_t epoch = 0;  ///< from 1
  double learning_rate = 0;
  double train_loss = 0;  ///< mean over the epoch, while training
  Score test{};
};

/// Called while training. They must leave the model as they found it (see EvaluationScope).
struct TrainingHooks {
  /// Before the first optimiser step (0, 0), and after each: its number and epoch, from 1.
  std::function<void(std::int64_t step, std::int64_t epoch)> step{};
  /// After each epoch's line.
  std::function<void(std::int64_t epoch)> epoch{};
};

/// Trains the model in place with minibatches in the order of the streams "shuffle/<epoch>", and
/// leaves it in eval mode. The learning rate of epoch e (from 0): lr·factor^⌊e/every⌋ ("step"), or
/// lr·factor^(number of listed epochs ≤ e) ("milestones"; a bare list means factor 0.2).
/// @throws Error for data without labels, or with labels that do not fit the loss; Failure when the
///         loss is no longer finite; Interrupted
std::vector<Epoch> train_model(const Model& model, const nlohmann::json& resolved,
                               const Source& train, const Source& test, std::uint64_t seed,
                               Progress& progress, const TrainingHooks& hooks = {});

}  // namespace descramble
