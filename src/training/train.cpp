#include "descramble/training/train.h"

#include <cmath>

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/utils.h>

#include "core/at_end.h"
#include "descramble/core/error.h"
#include "descramble/core/random.h"
#include "descramble/data/batches.h"
#include "descramble/model/snapshot.h"
#include "descramble/taps/tapped_model.h"
#include "training/optimizer.h"

namespace descramble {

namespace {

Score test_score(const TappedModel& program, Loss loss, const Source& source) {
  const at::NoGradGuard no_grad;
  const StateScope scope(program.model());
  Score score{.loss_kind = loss};
  for_each_batch(source, program.model().device(), [&](const Batch& batch, std::int64_t) {
    score.add(program.forward(batch.inputs), batch.labels);
  });
  return score;
}

void require_labels(const Source& source, const char* split, Loss loss) {
  const std::string pointer = std::string("/data/") + split;
  if (!source.data->has_labels())
    throw Error({"cannot train", pointer, "a source with labels", "one without"});
  if (loss == Loss::cross_entropy && source.data->slice(0, 1).labels.is_floating_point()) {
    throw Error({"cross-entropy needs classes", pointer, "integers as labels (or the loss 'mse')",
                 "floating-point targets"});
  }
}

std::string epoch_line(const Epoch& epoch, std::int64_t epochs) {
  std::string line =
      fmt::format("epoch {:>3}/{}  lr {:<8.3g} train loss {:.4f}  test loss {:.4f}", epoch.epoch,
                  epochs, epoch.learning_rate, epoch.train_loss, epoch.test.loss());
  if (epoch.test.has_accuracy)
    line += fmt::format("  test accuracy {:.2f} %", 100 * epoch.test.top1());
  return line;
}

/// One epoch of a training.
struct EpochRun {
  const Model& model;
  const TappedModel& program;
  const Source& train;
  const TrainOptions& options;
  torch::optim::Optimizer& optimizer;
  Progress& progress;
  const TrainingHooks& hooks;
  std::int64_t step = 0;  ///< optimiser steps so far

  /// The mean loss while training. @throws Failure if it is no longer finite
  double operator()(std::int64_t epoch) {
    const std::int64_t size = train.data->size();
    const std::vector<std::int64_t> order =
        random_stream(options.seed, "shuffle", static_cast<std::uint64_t>(epoch - 1))
            .permutation(size);
    model.set_training(true);
    double loss_sum = 0;
    progress.begin(fmt::format("epoch {}/{}", epoch, options.epochs), size);
    const Source in_steps{train.data, options.batch_size};
    for_each_batch(in_steps, order, model.device(), [&](const Batch& batch, std::int64_t begin) {
      optimizer.zero_grad();
      const at::Tensor output = program.forward(batch.inputs);
      const at::Tensor loss =
          loss_value(options.loss, output, loss_target(options.loss, output, batch.labels));
      loss.backward();
      optimizer.step();
      const double value = loss.item<double>();
      if (!std::isfinite(value)) {
        throw Failure({"the training diverged", fmt::format("epoch {}, sample {}", epoch, begin),
                       "a finite loss", fmt::format("{}", std::abs(value))});
      }
      const std::int64_t samples = batch.inputs.at(0).size(0);
      loss_sum += value * static_cast<double>(samples);
      progress.advance(samples);
      ++step;
      if (hooks.step) hooks.step(step, epoch);
    });
    progress.end();
    model.set_training(false);
    return loss_sum / static_cast<double>(size);
  }
};

}  // namespace

std::vector<Epoch> train_model(const Model& model, const TrainOptions& options, const Source& train,
                               const Source& test, Progress& progress, const TrainingHooks& hooks) {
  require_labels(train, "train", options.loss);
  require_labels(test, "test", options.loss);
  const TappedModel program = tap_model(model, {});
  std::vector<at::Tensor> parameters;
  for (const auto& [name, parameter] : model.parameters()) parameters.push_back(parameter);
  const auto optimizer = make_optimizer(options.optimizer, parameters);
  torch::manual_seed(random_stream(options.seed, "dropout").bits() >> 1);
  const AtEnd evaluation([&model] { model.set_training(false); });
  if (hooks.step) hooks.step(0, 0);
  EpochRun run{model, program, train, options, *optimizer, progress, hooks};
  std::vector<Epoch> history;
  for (std::int64_t epoch = 1; epoch <= options.epochs; ++epoch) {
    const double rate =
        options.optimizer.lr * (options.schedule ? options.schedule(epoch - 1) : 1.0);
    set_learning_rate(*optimizer, rate);
    const double train_loss = run(epoch);
    history.push_back({epoch, rate, train_loss, test_score(program, options.loss, test)});
    if (!std::isfinite(history.back().test.loss())) {
      throw Failure({"the test loss is no longer finite", fmt::format("epoch {}", epoch),
                     "a finite loss (a batch of one sample has no variance for batch norm)",
                     fmt::format("{}", std::abs(history.back().test.loss()))});
    }
    progress.say(epoch_line(history.back(), options.epochs));
    if (hooks.epoch) hooks.epoch(epoch);
  }
  return history;
}

}  // namespace descramble
