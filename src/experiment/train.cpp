#include "descramble/experiment/train.h"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <torch/utils.h>

#include "descramble/core/interrupt.h"
#include "descramble/core/random.h"
#include "descramble/model/snapshot.h"
#include "descramble/taps/tapped_model.h"
#include "experiment/optimizer.h"

namespace descramble {

using nlohmann::json;

const FieldSet& train_fields() {
  static const FieldSet set{
      "train",
      {{.name = "loss",
        .type = FieldType::string,
        .doc = "what is minimised; mse: the mean squared error against floating-point targets, or "
               "against one-hot classes",
        .fallback = "cross_entropy",
        .choices = {"cross_entropy", "mse"}},
       {.name = "optimizer",
        .type = FieldType::kind,
        .doc = "how",
        .fallback = Fallback::json(R"({"kind": "adam"})"),
        .family = optimizer_family},
       {.name = "epochs",
        .type = FieldType::integer,
        .doc = "passes over the training data",
        .minimum = 1},
       {.name = "batch_size",
        .type = FieldType::integer,
        .doc = "samples of one step",
        .fallback = 128,
        .minimum = 1},
       {.name = "schedule",
        .type = FieldType::kind_or_integers,
        .doc = "how the learning rate falls; a list of finished epochs: times 0.2 after each",
        .fallback = nullptr,
        .family = schedule_family},
       {.name = "probes",
        .type = FieldType::groups,
        .doc = "what is measured of layers while training",
        .fallback = Fallback::json("[]"),
        .fields = probe_fields}}};
  return set;
}

namespace {

/// However a training ends, the model is in eval mode then.
struct EvaluationAtEnd {
  ~EvaluationAtEnd() { model.set_training(false); }
  Model model;
};

Batch on_device(Batch batch, at::Device device) {
  for (at::Tensor& input : batch.inputs) input = input.to(device);
  return batch;
}

Score evaluate(const TappedModel& program, Loss loss, const Source& source) {
  const at::NoGradGuard no_grad;
  const StateScope scope(program.model());
  Score score{.loss_kind = loss};
  for (std::int64_t begin = 0; begin < source.data->size(); begin += source.batch_size) {
    check_interrupt();
    const Batch batch = on_device(
        source.data->slice(begin, std::min(source.data->size(), begin + source.batch_size)),
        program.model().device());
    score.add(program.forward(batch.inputs), batch.labels);
  }
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

}  // namespace

std::vector<Epoch> train_model(const Model& model, const json& resolved, const Source& train,
                               const Source& test, std::uint64_t seed, Progress& progress,
                               const TrainingHooks& hooks) {
  const Loss loss_kind = parse_loss(resolved.at("loss"));
  require_labels(train, "train", loss_kind);
  require_labels(test, "test", loss_kind);
  const TappedModel program = tap_model(model, {});
  std::vector<at::Tensor> parameters;
  for (const auto& [name, parameter] : model.parameters()) parameters.push_back(parameter);
  const json& chosen = resolved.at("optimizer");
  const auto optimizer = make_optimizer(chosen, parameters, "/train/optimizer");
  torch::manual_seed(random_stream(seed, "dropout").bits() >> 1);
  const std::int64_t epochs = resolved.at("epochs");
  const std::int64_t batch_size = resolved.at("batch_size");
  const std::int64_t size = train.data->size();
  std::int64_t step = 0;
  const EvaluationAtEnd evaluation{model};
  if (hooks.step) hooks.step(0, 0);
  std::vector<Epoch> history;
  for (std::int64_t epoch = 1; epoch <= epochs; ++epoch) {
    const double rate =
        chosen.at("lr").get<double>() * rate_factor(resolved.at("schedule"), epoch - 1);
    set_learning_rate(*optimizer, rate);
    const std::vector<std::int64_t> order =
        random_stream(seed, "shuffle", static_cast<std::uint64_t>(epoch - 1)).permutation(size);
    model.set_training(true);
    double loss_sum = 0;
    progress.begin(fmt::format("epoch {}/{}", epoch, epochs), size);
    for (std::int64_t begin = 0; begin < size; begin += batch_size) {
      check_interrupt();
      const std::int64_t end = std::min(size, begin + batch_size);
      const Batch batch = on_device(
          train.data->gather({order.begin() + begin, order.begin() + end}), model.device());
      optimizer->zero_grad();
      const at::Tensor output = program.forward(batch.inputs);
      const at::Tensor loss =
          loss_value(loss_kind, output, loss_target(loss_kind, output, batch.labels));
      loss.backward();
      optimizer->step();
      const double value = loss.item<double>();
      if (!std::isfinite(value)) {
        throw Failure({"the training diverged", fmt::format("epoch {}, sample {}", epoch, begin),
                       "a finite loss", fmt::format("{}", std::abs(value))});
      }
      loss_sum += value * static_cast<double>(end - begin);
      progress.advance(end - begin);
      if (hooks.step) hooks.step(++step, epoch);
    }
    progress.end();
    model.set_training(false);
    history.push_back(
        {epoch, rate, loss_sum / static_cast<double>(size), evaluate(program, loss_kind, test)});
    if (!std::isfinite(history.back().test.loss())) {
      throw Failure({"the test loss is no longer finite", fmt::format("epoch {}", epoch),
                     "a finite loss (a batch of one sample has no variance for batch norm)",
                     fmt::format("{}", std::abs(history.back().test.loss()))});
    }
    progress.say(epoch_line(history.back(), epochs));
    if (hooks.epoch) hooks.epoch(epoch);
  }
  return history;
}

}  // namespace descramble
