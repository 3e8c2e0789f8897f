#include "descramble/experiment/train.h"

#include <cmath>

#include <ATen/ops/cross_entropy_loss.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <torch/optim/adam.h>
#include <torch/utils.h>

#include "descramble/core/interrupt.h"
#include "descramble/core/random.h"
#include "descramble/experiment/score.h"
#include "descramble/taps/tapped_model.h"

namespace descramble {

using nlohmann::json;

const KindFamily& optimizer_family() {
  static const KindFamily family{.title = "optimizer",
                                 .kinds = {{.name = "adam",
                                            .summary = "Adam with beta 0.9 and 0.999, epsilon 1e-8",
                                            .source = "Kingma and Ba, arXiv 1412.6980",
                                            .fields = {{.name = "lr",
                                                        .type = FieldType::number,
                                                        .doc = "learning rate",
                                                        .fallback = 0.001,
                                                        .minimum = 0,
                                                        .above_minimum = true},
                                                       {.name = "weight_decay",
                                                        .type = FieldType::number,
                                                        .doc = "L2 penalty",
                                                        .fallback = 0.0,
                                                        .minimum = 0}}}}};
  return family;
}

const KindFamily& schedule_family() {
  static const Field factor{.name = "factor",
                            .type = FieldType::number,
                            .doc = "what the learning rate is multiplied by",
                            .fallback = 0.2,
                            .minimum = 0,
                            .above_minimum = true};
  static const KindFamily family{
      .title = "schedule",
      .kinds = {
          {.name = "step",
           .summary = "multiplies the learning rate after every so many epochs",
           .fields = {{.name = "every", .type = FieldType::integer, .doc = "epochs", .minimum = 1},
                      factor}},
          {.name = "milestones",
           .summary = "multiplies the learning rate after the listed epochs",
           .fields = {{.name = "epochs",
                       .type = FieldType::integers,
                       .doc = "numbers of finished epochs",
                       .minimum = 1},
                      factor}}}};
  return family;
}

const FieldSet& train_fields() {
  static const FieldSet set{
      "train",
      {{.name = "loss",
        .type = FieldType::string,
        .doc = "what is minimised",
        .fallback = "cross_entropy",
        .choices = {"cross_entropy"}},
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
        .family = schedule_family}}};
  return set;
}

namespace {

double rate_factor(const json& schedule, std::int64_t finished) {
  if (schedule.is_null()) return 1;
  if (schedule.is_object() && schedule.at("kind") == "step") {
    return std::pow(schedule.at("factor").get<double>(),
                    static_cast<double>(finished / schedule.at("every").get<std::int64_t>()));
  }
  const json& epochs = schedule.is_array() ? schedule : schedule.at("epochs");
  const double factor = schedule.is_array() ? 0.2 : schedule.at("factor").get<double>();
  double result = 1;
  for (const json& epoch : epochs) {
    if (epoch.get<std::int64_t>() <= finished) result *= factor;
  }
  return result;
}

Score evaluate(const TappedModel& program, const Source& source) {
  const at::NoGradGuard no_grad;
  const at::Device device = program.model().device();
  Score score;
  for (std::int64_t begin = 0; begin < source.data->size(); begin += source.batch_size) {
    check_interrupt();
    Batch batch =
        source.data->slice(begin, std::min(source.data->size(), begin + source.batch_size));
    for (at::Tensor& input : batch.inputs) input = input.to(device);
    score.add(program.forward(batch.inputs), batch.labels);
  }
  return score;
}

void require_labels(const Source& source, const char* split) {
  if (!source.data->has_labels())
    throw Error({"cannot train with cross-entropy", std::string("/data/") + split,
                 "a source with labels", "one without"});
  if (source.data->slice(0, 1).labels.is_floating_point())
    throw Error({"cannot train with cross-entropy", std::string("/data/") + split,
                 "classes (integers) as labels", "floating-point targets"});
}

}  // namespace

std::vector<Epoch> train_model(const Model& model, const json& resolved, const Source& train,
                               const Source& test, std::uint64_t seed, Progress& progress) {
  require_labels(train, "train");
  require_labels(test, "test");
  const TappedModel program = tap_model(model, {});
  std::vector<at::Tensor> parameters;
  for (const auto& [name, parameter] : model.parameters()) parameters.push_back(parameter);
  const json& chosen = resolved.at("optimizer");
  const double rate = chosen.at("lr");
  torch::optim::Adam optimizer(parameters, torch::optim::AdamOptions(rate).weight_decay(
                                               chosen.at("weight_decay").get<double>()));
  torch::manual_seed(random_stream(seed, "dropout").bits() >> 1);
  const std::int64_t epochs = resolved.at("epochs");
  const std::int64_t batch_size = resolved.at("batch_size");
  const std::int64_t size = train.data->size();
  std::vector<Epoch> history;
  for (std::int64_t epoch = 0; epoch < epochs; ++epoch) {
    const double current = rate * rate_factor(resolved.at("schedule"), epoch);
    for (auto& group : optimizer.param_groups())
      static_cast<torch::optim::AdamOptions&>(group.options()).lr(current);
    const std::vector<std::int64_t> order =
        random_stream(seed, "shuffle", static_cast<std::uint64_t>(epoch)).permutation(size);
    model.set_training(true);
    double loss_sum = 0;
    progress.begin(fmt::format("epoch {}/{}", epoch + 1, epochs), size);
    for (std::int64_t begin = 0; begin < size; begin += batch_size) {
      check_interrupt();
      const std::int64_t end = std::min(size, begin + batch_size);
      Batch batch = train.data->gather({order.begin() + begin, order.begin() + end});
      for (at::Tensor& input : batch.inputs) input = input.to(model.device());
      optimizer.zero_grad();
      const at::Tensor loss =
          at::cross_entropy_loss(program.forward(batch.inputs), batch.labels.to(model.device()));
      loss.backward();
      optimizer.step();
      const double value = loss.item<double>();
      if (!std::isfinite(value)) {
        model.set_training(false);
        throw Failure({"the training diverged",
                       fmt::format("epoch {}, sample {}", epoch + 1, begin), "a finite loss",
                       fmt::format("{}", value)});
      }
      loss_sum += value * static_cast<double>(end - begin);
      progress.advance(end - begin);
    }
    progress.end();
    model.set_training(false);
    const Score score = evaluate(program, test);
    history.push_back(
        {epoch + 1, current, loss_sum / static_cast<double>(size), score.top1(), score.loss()});
    progress.say(fmt::format(
        "epoch {:>3}/{}  lr {:<8.3g} train loss {:.4f}  test loss {:.4f}  test accuracy {:.2f} %",
        epoch + 1, epochs, current, history.back().train_loss, score.loss(), 100 * score.top1()));
  }
  return history;
}

}  // namespace descramble
