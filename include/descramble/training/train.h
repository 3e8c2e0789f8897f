#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "descramble/analysis/loss.h"
#include "descramble/analysis/score.h"
#include "descramble/core/progress.h"
#include "descramble/data/data_set.h"
#include "descramble/model/model.h"

namespace [[gnu::visibility("default")]] descramble {

/// The optimiser that updates the parameters, and its settings.
struct OptimizerOptions {
  /// Which optimiser of LibTorch it is.
  enum class Kind {
    adam,  ///< β 0.9 and 0.999, ε 1e-8 (Kingma and Ba, arXiv 1412.6980)
    sgd    ///< v ← momentum·v + g, w ← w − lr·v (torch.optim.SGD)
  };
  Kind kind = Kind::adam;   ///< the optimiser
  double lr = 0.001;        ///< learning rate, which a schedule multiplies
  double weight_decay = 0;  ///< this times the parameter is added to its gradient
  double momentum = 0;      ///< the momentum of sgd
  bool nesterov = false;    ///< sgd adds the gradient's step after the momentum's step
};

/// The factor of the learning rate after `finished` epochs.
using Schedule = std::function<double(std::int64_t finished)>;
/// factor^⌊finished/every⌋.
Schedule every_epochs(std::int64_t every, double factor = 0.2);
/// factor^(number of listed epochs ≤ finished).
Schedule milestones(std::vector<std::int64_t> epochs, double factor = 0.2);

/// How a network is trained.
struct TrainOptions {
  Loss loss = Loss::cross_entropy;  ///< what is minimised
  OptimizerOptions optimizer{};     ///< how parameters move
  std::int64_t epochs = 1;          ///< passes over the training data
  std::int64_t batch_size = 128;    ///< samples of one step
  Schedule schedule{};              ///< absent: the learning rate stays
  std::uint64_t seed = 1;           ///< the seed of the order of samples
};

/// One epoch.
struct Epoch {
  std::int64_t epoch = 0;    ///< the number of the epoch, from 1
  double learning_rate = 0;  ///< the rate of this epoch
  double train_loss = 0;     ///< mean over the epoch, while training
  Score test{};              ///< accuracy and loss on the test data, afterwards
};

/// Functions that are called during training. They must not change the model (see
/// EvaluationScope).
struct TrainingHooks {
  /// Called before the first optimiser step with (0, 0), and after each step with its number and
  /// epoch, from 1.
  std::function<void(std::int64_t step, std::int64_t epoch)> step{};
  /// Called after the line of each epoch.
  std::function<void(std::int64_t epoch)> epoch{};
};

/// Trains the model in place with minibatches, in the random order of the stream "shuffle/<epoch>".
/// Leaves the model in eval mode.
/// @throws Error for data without labels, or with labels that do not fit the loss; Failure when the
///         loss is no longer finite; Interrupted
std::vector<Epoch> train_model(const Model& model, const TrainOptions& options, const Source& train,
                               const Source& test, Progress& progress,
                               const TrainingHooks& hooks = {});

}  // namespace descramble
