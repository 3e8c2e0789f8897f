#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linalg_svdvals.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/stack.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "descramble/basis/rotation_pair.h"
#include "descramble/core/error.h"
#include "descramble/core/random.h"
#include "descramble/data/kinds.h"
#include "descramble/model/kinds.h"
#include "descramble/objective/smoothness.h"
#include "descramble/taps/tapped_model.h"
#include "descramble/training/probes.h"
#include "descramble/training/train.h"
#include "experiment/train_config.h"
#include "results/probe_report.h"

namespace descramble::test {

namespace {

using nlohmann::json;
using testing::HasSubstr;

/// Random inputs with integer classes, or with floating-point targets.
class Random final : public DataSet {
 public:
  Random(std::int64_t size, bool values) {
    RandomStream random = random_stream(3, "training_test");
    inputs_ = random.normal_tensor({size, 1, 4, 4}).to(at::kFloat);
    const at::Tensor targets = inputs_.flatten(1).slice(1, 0, 3);
    labels_ = values ? targets.clone() : targets.argmax(1);
  }
  std::int64_t size() const override { return inputs_.size(0); }
  bool has_labels() const override { return true; }
  Batch gather(const std::vector<std::int64_t>& indices) const override {
    std::vector<at::Tensor> inputs;
    std::vector<at::Tensor> labels;
    for (const std::int64_t index : indices) {
      inputs.push_back(inputs_[index]);
      labels.push_back(labels_[index]);
    }
    return {{at::stack(inputs)}, at::stack(labels)};
  }

 private:
  at::Tensor inputs_{};
  at::Tensor labels_{};
};

Source random_source(bool values = false, std::int64_t size = 96) {
  return {std::make_shared<Random>(size, values), 40};
}

Model mlp() {
  const json model = {{"kind", "sequential"},
                      {"input", {1, 4, 4}},
                      {"layers",
                       {{{"kind", "flatten"}, {"name", "flatten"}},
                        {{"kind", "linear"}, {"name", "fc1"}, {"out", 12}},
                        {{"kind", "relu"}, {"name", "act1"}},
                        {{"kind", "linear"}, {"name", "fc2"}, {"out", 3}}}}};
  return open_model(resolve_kind(model_family(), model, "/model"), {.seed = 1}).model;
}

Model dropout_and_batch_norm() {
  const json model = {
      {"kind", "sequential"},
      {"input", {1, 4, 4}},
      {"layers",
       {{{"kind", "conv2d"}, {"name", "conv1"}, {"out", 6}, {"kernel", 3}, {"padding", 1}},
        {{"kind", "batch_norm"}, {"name", "norm1"}},
        {{"kind", "relu"}, {"name", "act1"}},
        {{"kind", "dropout"}, {"name", "drop1"}, {"p", 0.3}},
        {{"kind", "flatten"}, {"name", "flatten"}},
        {{"kind", "linear"}, {"name", "fc1"}, {"out", 3}}}}};
  return open_model(resolve_kind(model_family(), model, "/model"), {.seed = 1}).model;
}

json training(const json& changes = json::object()) {
  json result = {{"epochs", 2}, {"batch_size", 16}};
  result.update(changes);
  return resolve_fields(train_fields().fields, result, "/train");
}

Probes probes_of(const json& settings, const Model& model, const Source& source) {
  Probes probes(model);
  for (std::size_t i = 0; i < settings.at("probes").size(); ++i) {
    probes.add(probe_options_in(settings.at("probes")[i]), source,
               "/train/probes/" + std::to_string(i));
  }
  return probes;
}

std::vector<Epoch> run(const Model& model, const json& settings, const Source& source,
                       Probes* probes = nullptr) {
  Progress quiet;
  TrainingHooks hooks;
  if (probes != nullptr) {
    hooks.step = [probes](std::int64_t step, std::int64_t epoch) { probes->at_step(step, epoch); };
  }
  auto history = train_model(model, train_options_in(settings, 1), source, source, quiet, hooks);
  if (probes != nullptr) probes->at_end();
  return history;
}

const json adam = {{"kind", "adam"}, {"lr", 0.01}, {"weight_decay", 0.01}};
const json sgd = {{"kind", "sgd"}, {"lr", 0.05}, {"momentum", 0.9}, {"nesterov", true}};

TEST(Probing, NeverChangesTheTraining) {
  for (const auto& [build, taps] :
       {std::pair{&mlp, json::array({"fc1", "fc2"})}, {&dropout_and_batch_norm, json("conv1")}}) {
    for (const json& optimizer : {adam, sgd}) {
      for (const char* loss : {"cross_entropy", "mse"}) {
        const json settings =
            training({{"optimizer", optimizer},
                      {"loss", loss},
                      {"probes",
                       {{{"taps", taps},
                         {"every", 3},
                         {"samples", 50},
                         {"measure", {"spectrum", "smoothness", "diagonal_sum"}}}}}});
        const Source source = random_source();
        const Model plain = build();
        const Model probed = build();
        Probes probes = probes_of(settings, probed, source);
        const auto without = run(plain, settings, source);
        const auto with = run(probed, settings, source, &probes);
        EXPECT_GT(probes.records().size(), 9U);
        for (std::size_t i = 0; i < plain.parameters().size(); ++i)
          EXPECT_TRUE(at::equal(plain.parameters()[i].second, probed.parameters()[i].second));
        for (std::size_t i = 0; i < plain.buffers().size(); ++i)
          EXPECT_TRUE(at::equal(plain.buffers()[i].second, probed.buffers()[i].second));
        EXPECT_EQ(without.back().train_loss, with.back().train_loss);
        EXPECT_EQ(without.back().test.loss(), with.back().test.loss());
        // The next random number is the same too.
        run(plain, settings, source);
        const at::Tensor next = at::rand({4});
        Probes again = probes_of(settings, probed, source);
        run(probed, settings, source, &again);
        EXPECT_TRUE(at::equal(next, at::rand({4})));
      }
    }
  }
}

TEST(Probing, RecordsTheBeginningEveryKthStepAndTheEnd) {
  const Source source = random_source();  // 6 steps an epoch
  const json settings =
      training({{"probes", {{{"taps", "fc1"}, {"every", 5}, {"measure", "spectrum"}}}}});
  const Model model = mlp();
  Probes probes = probes_of(settings, model, source);
  run(model, settings, source, &probes);
  std::vector<std::int64_t> steps;
  std::vector<std::int64_t> epochs;
  for (const ProbeRecord& record : probes.records()) {
    steps.push_back(record.step);
    epochs.push_back(record.epoch);
  }
  EXPECT_THAT(steps, testing::ElementsAre(0, 5, 10, 12));
  EXPECT_THAT(epochs, testing::ElementsAre(0, 1, 2, 2));
}

TEST(Probing, MeasuresWhatItSays) {
  const Source source = random_source();
  const json settings = training({{"probes",
                                   {{{"taps", "fc1"},
                                     {"samples", 60},
                                     {"stencil", "forward_free"},
                                     {"measure", {"spectrum", "smoothness", "diagonal_sum"}}}}}});
  const Model model = mlp();
  Probes probes = probes_of(settings, model, source);
  probes.at_step(0, 0);
  ASSERT_EQ(probes.records().size(), 3U);

  Moments moments;
  at::Tensor weight;
  const TappedModel tapped = tap_model(model, {"fc1"});
  // In the batches of the source: in others, float32 products may round differently.
  for (std::int64_t begin = 0; begin < 60; begin += source.batch_size) {
    const std::int64_t end = std::min<std::int64_t>(60, begin + source.batch_size);
    moments.add(tapped.forward_until("fc1", source.data->slice(begin, end).inputs));
  }
  for (const auto& [name, parameter] : model.parameters()) {
    if (name == "fc1.weight") weight = parameter.detach().to(at::kDouble);
  }
  const Smoothness objective(Stencil::forward_free, moments.covariance());
  const auto exact = minimise_smoothness_exactly(objective);
  const at::Tensor mu = exact.eigenvalues;
  const json spectrum = probe_json(probes.records()[0]);
  const double total = mu.sum().item<double>();
  EXPECT_NEAR(spectrum["total_variance"].get<double>(), total, 1e-12 * total);
  EXPECT_NEAR(spectrum["participation_ratio"].get<double>(),
              total * total / mu.square().sum().item<double>(), 1e-9);
  EXPECT_NEAR(spectrum["first_share"].get<double>(), mu[0].item<double>() / total, 1e-12);
  EXPECT_EQ(spectrum["eigenvalues"].size(), 10U);
  EXPECT_EQ(probes.tensors().at("probes.0.fc1.spectrum").size(0), 12);
  const json smoothness = probe_json(probes.records()[1]);
  const double before = objective.value(RotationPair::identity(12).matrix());
  EXPECT_NEAR(smoothness["before"].get<double>(), before, 1e-12 * before);
  EXPECT_NEAR(smoothness["optimum"].get<double>(), exact.optimum, 1e-12 * before);
  const json diagonal = probe_json(probes.records()[2]);
  EXPECT_NEAR(diagonal["diagonal_sum"].get<double>(), weight.diagonal().sum().item<double>(),
              1e-12);
  EXPECT_NEAR(diagonal["nuclear_norm"].get<double>(),
              at::linalg_svdvals(weight).sum().item<double>(), 1e-10);
}

TEST(Probing, RefusesBeforeTheFirstStep) {
  const Source source = random_source();
  const Model model = mlp();
  const auto refusal = [&](const json& probe) {
    try {
      const json settings = training({{"probes", {probe}}});
      probes_of(settings, model, source);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("taken");
  };
  EXPECT_THAT(refusal({{"taps", "fc9"}}), testing::AllOf(HasSubstr("/train/probes/0/taps"),
                                                         HasSubstr("fc9"), HasSubstr("'fc1'")));
  EXPECT_THAT(refusal({{"taps", "act1"}, {"measure", "diagonal_sum"}}),
              testing::AllOf(HasSubstr("/train/probes/0/taps"), HasSubstr("act1")));
  EXPECT_THAT(refusal({{"taps", "fc1"}, {"measure", "smothness"}}), HasSubstr("'smoothness'"));
  EXPECT_THAT(refusal({{"taps", "fc1"}, {"every", 0}}), HasSubstr("/train/probes/0/every"));
  EXPECT_EQ(refusal({{"taps", "fc1"}}), "taken");
}

TEST(Training, LossFallsForEachLossOptimizerAndSchedule) {
  for (const bool values : {false, true}) {
    for (const char* loss : {"cross_entropy", "mse"}) {
      if (values && std::string(loss) == "cross_entropy") continue;
      for (const json& optimizer : {adam, sgd}) {
        for (const json& schedule :
             {json(), json::array({1, 3}), json{{"kind", "step"}, {"every", 2}}}) {
          const Source source = random_source(values);
          const auto history = run(mlp(),
                                   training({{"optimizer", optimizer},
                                             {"loss", loss},
                                             {"schedule", schedule},
                                             {"epochs", 5}}),
                                   source);
          EXPECT_LT(history.back().test.loss(), history.front().train_loss);
          EXPECT_EQ(history.back().test.has_accuracy, !values);
          if (schedule.is_null()) {
            EXPECT_EQ(history.back().learning_rate, optimizer.at("lr"));
          } else {
            EXPECT_LT(history.back().learning_rate, 0.9 * optimizer.at("lr").get<double>());
          }
        }
      }
    }
  }
}

/// One step from the same weights, whose gradient g follows from a plain step of rate r:
/// w − r g. The L2 penalty adds decay·w to g.
TEST(Training, OptimizersStepAsTheyShould) {
  const Source source = random_source(false, 16);
  const auto after = [&](const json& optimizer) {
    const Model model = mlp();
    run(model, training({{"optimizer", optimizer}, {"epochs", 1}}), source);
    return model.parameters()[0].second.detach().to(at::kDouble);
  };
  const at::Tensor start = mlp().parameters()[0].second.detach().to(at::kDouble);
  const at::Tensor gradient = start - after({{"kind", "sgd"}, {"lr", 1}});
  const at::Tensor decayed = after({{"kind", "sgd"}, {"lr", 0.5}, {"weight_decay", 0.2}});
  EXPECT_TRUE(decayed.allclose(start - 0.5 * (gradient + 0.2 * start), 0, 1e-6));
  // Nesterov's first step is (1 + momentum) g.
  const at::Tensor nesterov =
      after({{"kind", "sgd"}, {"lr", 0.5}, {"momentum", 0.9}, {"nesterov", true}});
  EXPECT_TRUE(nesterov.allclose(start - 0.5 * 1.9 * gradient, 0, 1e-6));
  // Adam's first step is the sign of the penalised gradient.
  const at::Tensor penalised = gradient + 5 * start;
  const at::Tensor adam_step = after({{"kind", "adam"}, {"lr", 0.01}, {"weight_decay", 5}});
  EXPECT_TRUE(adam_step.allclose(start - 0.01 * penalised / (penalised.abs() + 1e-8), 0, 1e-5));
}

TEST(Training, RefusesWhatItCannotLearn) {
  const auto refusal = [](const json& settings, const Source& source) {
    try {
      run(mlp(), training(settings), source);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("taken");
  };
  EXPECT_THAT(refusal({{"loss", "cross_entropy"}}, random_source(true)),
              testing::AllOf(HasSubstr("cross-entropy needs classes"), HasSubstr("mse")));
  EXPECT_THAT(refusal({{"optimizer", {{"kind", "sgd"}, {"nesterov", true}}}}, random_source()),
              HasSubstr("/train/optimizer/momentum"));
  EXPECT_THAT(refusal({{"loss", "hinge"}}, random_source()), HasSubstr("'mse'"));
}

TEST(Losses, RefuseTargetsThatDoNotFit) {
  const at::Tensor output = at::rand({4, 3});
  const auto refusal = [&](Loss loss, const at::Tensor& labels) {
    try {
      loss_target(loss, output, labels);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("taken");
  };
  for (const Loss loss : {Loss::cross_entropy, Loss::mean_squared_error}) {
    EXPECT_THAT(refusal(loss, at::arange(4, at::kLong)),
                testing::AllOf(HasSubstr("0 to 2"), HasSubstr("found 3")));
    EXPECT_THAT(refusal(loss, at::arange(4, at::kLong) - 2), HasSubstr("found -2"));
    EXPECT_THAT(refusal(loss, at::arange(3, at::kLong)), HasSubstr("4 classes"));
    EXPECT_THAT(refusal(loss, {}), HasSubstr("no labels"));
    EXPECT_EQ(refusal(loss, at::arange(4, at::kLong).clamp(0, 2)), "taken");
  }
  EXPECT_THAT(refusal(Loss::mean_squared_error, at::rand({4})),
              testing::AllOf(HasSubstr("4x3"), HasSubstr("found")));
  EXPECT_THAT(refusal(Loss::mean_squared_error, at::rand({4, 2})), HasSubstr("4x2"));
  EXPECT_EQ(refusal(Loss::mean_squared_error, at::rand({4, 3})), "taken");
}

}  // namespace

}  // namespace descramble::test
