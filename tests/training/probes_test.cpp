// Probes in a training loop in C++: of a torch::nn module and of a TorchScript model, with a probe
// set and with the batches of the training.

#include "descramble/training/probes.h"

#include <cmath>
#include <filesystem>
#include <limits>
#include <stdexcept>

#include <gmock/gmock.h>
#include <torch/torch.h>

#include "descramble/analysis/measure_jacobian.h"
#include "descramble/basis/rotation_pair.h"
#include "descramble/core/files.h"
#include "descramble/core/random.h"
#include "descramble/data/tensor_set.h"
#include "descramble/results/probe_sinks.h"
#include "descramble/taps/tap.h"
#include "descramble/taps/wrap_module.h"
#include "temporary_folder.h"
#include "throws.h"

namespace descramble::test {

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// Batch normalisation, dropout, a layer whose mode stays eval, and a buffer that each pass writes.
struct NormalisedNet : torch::nn::Module {
  NormalisedNet() {
    hidden = register_module("hidden", torch::nn::Linear(6, 8));
    norm = register_module("norm", torch::nn::BatchNorm1d(8));
    frozen = register_module("frozen", torch::nn::BatchNorm1d(8));
    drop = register_module("drop", torch::nn::Dropout(0.3));
    answer = register_module("answer", torch::nn::Linear(8, 3));
    passes = register_buffer("passes", torch::zeros({1}));
  }
  torch::Tensor forward(const torch::Tensor& x) {
    passes.add_(1);
    const auto h = tap("hidden", torch::tanh(norm(hidden(x))));
    return answer(drop(tap("frozen", frozen(h))));
  }
  torch::nn::Linear hidden{nullptr}, answer{nullptr};
  torch::nn::BatchNorm1d norm{nullptr}, frozen{nullptr};
  torch::nn::Dropout drop{nullptr};
  torch::Tensor passes;
};

at::Tensor inputs_of(std::int64_t count, const char* stream = "inputs") {
  return random_stream(1, stream).normal_tensor({count, 6}).to(at::kFloat);
}

const ProbeOptions all_measures{.taps = {"hidden", "frozen"},
                                .every = 4,
                                .measure = {"spectrum", "smoothness", "jacobian_l1"},
                                .samples = 30};

enum class Watched { no, on_probe_set, on_batches };

struct Trained {
  std::shared_ptr<NormalisedNet> net;
  at::Tensor next_random;
  std::vector<ProbeRecord> records{};
};

/// An epoch of 20 steps.
Trained trained(Watched watched, const ProbeSink& sink = {}) {
  torch::manual_seed(3);
  auto net = std::make_shared<NormalisedNet>();
  net->train();
  net->frozen->eval();
  torch::optim::Adam optimizer(net->parameters(), 1e-2);
  std::optional<Probes> probes;
  if (watched != Watched::no) {
    const Model model = wrap_module(net, torch::zeros({2, 6}));
    if (watched == Watched::on_probe_set)
      probes.emplace(model, all_measures, tensor_set(inputs_of(40, "probe")), sink);
    else
      probes.emplace(model, all_measures, sink);
  }
  const at::Tensor inputs = inputs_of(320);
  const at::Tensor labels = inputs.slice(1, 0, 3).argmax(1);
  for (int step = 0; step < 20; ++step) {
    const at::Tensor x = inputs.slice(0, 16 * step, 16 * step + 16);
    optimizer.zero_grad();
    const at::Tensor logits =
        watched == Watched::on_batches ? probes->forward({x}) : net->forward(x);
    torch::nn::functional::cross_entropy(logits, labels.slice(0, 16 * step, 16 * step + 16))
        .backward();
    optimizer.step();
    if (!probes) continue;
    try {
      probes->step();
    } catch (const std::runtime_error&) {  // a sink's own
    }
  }
  Trained result{net, torch::rand({4})};
  if (probes) result.records = probes->records();
  return result;
}

void expect_same_bytes(const Trained& one, const Trained& other) {
  const auto parameters = one.net->named_parameters();
  for (const auto& item : other.net->named_parameters())
    EXPECT_TRUE(at::equal(parameters[item.key()], item.value())) << item.key();
  const auto buffers = one.net->named_buffers();
  for (const auto& item : other.net->named_buffers())
    EXPECT_TRUE(at::equal(buffers[item.key()], item.value())) << item.key();
  EXPECT_TRUE(at::equal(one.next_random, other.next_random));
  EXPECT_TRUE(other.net->is_training());
  EXPECT_FALSE(other.net->frozen->is_training()) << "the mode of a submodule stays its own";
}

TEST(ProbesOfModules, NeverChangeTheTraining) {
  const Trained plain = trained(Watched::no);
  for (const Watched watched : {Watched::on_probe_set, Watched::on_batches}) {
    const Trained probed = trained(watched);
    EXPECT_EQ(probed.records.size(), 5U * 2 * 3);
    expect_same_bytes(plain, probed);
  }
}

TEST(ProbesOfModules, LeaveTheModelAsItWasWhenASinkThrows) {
  int called = 0;
  const Trained probed = trained(Watched::on_probe_set, [&](const ProbeRecord&) {
    ++called;
    throw std::runtime_error("full");
  });
  EXPECT_EQ(called, 5 * 2 * 3) << "each record is handed over";
  expect_same_bytes(trained(Watched::no), probed);
}

TEST(ProbesOfModules, MeasureTheJacobianOfTheAnalysis) {
  torch::manual_seed(3);
  auto net = std::make_shared<NormalisedNet>();
  net->to(torch::kFloat64);
  const Model model = wrap_module(net, torch::zeros({2, 6}, torch::kFloat64));
  const Source source = tensor_set(inputs_of(40).to(at::kDouble));
  Probes probes(model, {.taps = {"hidden"}, .measure = {"jacobian_l1"}}, source);
  probes.at_step(0, 0);
  net->eval();
  const MeasuredJacobian expected =
      measure_jacobian(open_subject(model, source), {.from = "hidden", .to = "output"});
  ASSERT_EQ(probes.records().size(), 1U);
  const auto& numbers = probes.records()[0].numbers;
  EXPECT_NEAR(*numbers.at("l1"), expected.l1, 1e-12 * expected.l1);
  EXPECT_NEAR(*numbers.at("frobenius"), expected.frobenius, 1e-12 * expected.frobenius);
  EXPECT_NEAR(*numbers.at("sparsity"), expected.sparsity, 1e-12);
}

TEST(ProbesOnTwoDevices, FollowTheModel) {
  if (!torch::cuda::is_available()) GTEST_SKIP() << "not run: this machine has no second device";
  auto net = std::make_shared<NormalisedNet>();
  const Model model = wrap_module(net, torch::zeros({2, 6}));
  Probes probes(model, all_measures, tensor_set(inputs_of(40, "probe")));
  probes.at_step(0, 0);
  net->to(torch::kCUDA);
  EXPECT_TRUE(model.device().is_cuda());
  probes.at_step(4, 1);
  ASSERT_EQ(probes.records().size(), 12U);
  for (std::size_t i = 0; i < 6; ++i) {
    for (const auto& [key, value] : probes.records()[i].numbers)
      EXPECT_NEAR(*probes.records()[i + 6].numbers.at(key), *value, 1e-4 * std::abs(*value)) << key;
  }
}

/// What listens in the training hears nothing of the probes.
TEST(ProbesOfModules, AreNotHeardByTheListenersOfTheTraining) {
  auto net = std::make_shared<NormalisedNet>();
  const Model model = wrap_module(net, torch::zeros({2, 6}));
  ProbeOptions options = all_measures;
  options.every = 1;
  Probes probes(model, options);
  TapScope scope;
  scope.observe("hidden", [](const at::Tensor&) {});
  for (int step = 0; step < 3; ++step) {
    probes.forward({inputs_of(8)});
    probes.step();
  }
  EXPECT_EQ(scope.fired("hidden"), 3);
  EXPECT_EQ(probes.records().size(), 3U * 2 * 3);
}

TEST(ProbesOfModules, MeasureTheLastBatchAtTheEnd) {
  auto net = std::make_shared<NormalisedNet>();
  const Model model = wrap_module(net, torch::zeros({2, 6}));
  Probes probes(model, all_measures);  // every 4 steps
  EXPECT_THAT([&] { probes.at_end(); }, ThrowsError("a step without a forward"));
  probes.forward({inputs_of(8)});
  probes.step();
  probes.at_end();
  ASSERT_EQ(probes.records().size(), 6U);
  EXPECT_EQ(probes.records()[0].step, 1);
}

/// models/glyph_mlp.pt is a TorchScript model; one of its layers is put into eval mode.
TEST(ProbesOfTorchScript, CountStepsAndMeasureTheBatches) {
  const Model model = load_model(std::string(DESCRAMBLE_SOURCE_DIR) + "/models/glyph_mlp.pt");
  model.set_training(true);
  Probes probes(model, {.taps = {"act*"}, .every = 2, .measure = {"spectrum"}});
  probes.begin_epoch();
  const at::Tensor images = random_stream(2, "images").uniform_tensor({20, 1, 28, 28}, 0, 1);
  for (int step = 0; step < 4; ++step) {
    EXPECT_TRUE(probes.forward({images.to(at::kFloat)}).requires_grad());
    probes.step();
  }
  std::vector<std::int64_t> steps;
  for (const ProbeRecord& record : probes.records()) {
    steps.push_back(record.step);
    EXPECT_EQ(record.epoch, 1);
  }
  EXPECT_THAT(steps, ElementsAre(2, 2, 4, 4));
  EXPECT_TRUE(model.is_training());
  EXPECT_EQ(probes.cost().measurements, 2);
  EXPECT_THAT(cost_text(probes.cost()), HasSubstr("2 measurements in "));
  EXPECT_THAT([&] { probes.step(); },
              ThrowsError("a step without a forward", "step 5", "Probes::forward()"));
}

TEST(ProbesOfTorchScript, RefuseWhatCannotBeProbed) {
  const Model model = load_model(std::string(DESCRAMBLE_SOURCE_DIR) + "/models/glyph_mlp.pt");
  const auto probe = [&](const ProbeOptions& options) { Probes(model, options); };
  EXPECT_THAT([&] { probe({.taps = {"fc9"}}); }, ThrowsError("fc9", "/taps"));
  EXPECT_THAT([&] { probe({}); }, ThrowsError("no probe", "/taps", "at least one"));
  EXPECT_THAT([&] { probe({.taps = {"fc1"}, .measure = {}}); },
              ThrowsError("no probe", "/measure"));
  EXPECT_THAT([&] { probe({.taps = {"fc1"}, .every = 0}); }, ThrowsError("no probe", "found 0"));
  EXPECT_THAT([&] { probe({.taps = {"fc1"}, .samples = -3}); },
              ThrowsError("no probe", "/samples", "found -3"));
  EXPECT_THAT([&] { probe({.taps = {"fc1"}, .measure = {"jacobian"}}); },
              ThrowsError("no such measure", "'jacobian_l1'"));
  EXPECT_THAT(
      [&] {
        probe({.taps = {"fc1", "act2"}, .measure = {"jacobian_l1"}, .to = "fc2"});
      },
      ThrowsError("no Jacobian", "taps in front of 'fc2'", "'act2'"));
  EXPECT_THAT([&] { probe({.taps = {"fc2"}, .measure = {"jacobian_l1"}, .to = "fc2"}); },
              ThrowsError("no Jacobian", "'fc2' itself"));
  EXPECT_THAT([&] { probe({.taps = {"fc1"}, .measure = {"jacobian_l1"}, .to = "fc*"}); },
              ThrowsError("the Jacobians have no end", "/to"));
}

/// A tensor of another width than the moments hold: in one measurement, and in two.
TEST(ProbesOfModules, RefuseAWidthThatChanges) {
  std::int64_t width = 4;
  bool shrinks = false;
  const Model model = wrap_module(
      [&](const at::Tensor& x) {
        if (shrinks) --width;
        return tap("h", x.slice(1, 0, width));
      },
      at::ones({2, 6}));
  Probes probes(model, {.taps = {"h"}, .every = 1}, tensor_set(inputs_of(8), {}, 4));
  probes.step();
  width = 3;
  EXPECT_THAT([&] { probes.step(); },
              ThrowsWith<Failure>("cannot probe", "tap 'h'", "expected 4", "found 3"));
  width = 5;
  shrinks = true;
  EXPECT_THAT([&] { probes.step(); },
              ThrowsWith<Failure>("cannot probe", "tap 'h'", "expected 4", "found 3"));
}

/// A pass that only looks leaves the parameters of a rotation as they are: the chart `cayley` would
/// move its base.
TEST(ProbesOfModules, LeaveTheChartsOfRotations) {
  const RotationPair pair = RotationPair::learnable(4);
  const at::Tensor inputs = inputs_of(8).slice(1, 0, 4);
  const Model model = wrap_module(
      [&](const at::Tensor& x) { return tap("h", pair.rotate(x, Axis::features)); }, inputs);
  {
    const at::NoGradGuard no_grad;
    pair.parameters()[0].fill_(0.1);
  }
  Probes probes(model, {.taps = {"h"}, .every = 1}, tensor_set(inputs));
  probes.step();
  EXPECT_EQ(pair.parameters()[0].min().item<double>(), 0.1);
}

TEST(ProbesOfModules, FollowTheModelToAnotherDtype) {
  auto net = std::make_shared<NormalisedNet>();
  const Model model = wrap_module(net, torch::zeros({2, 6}));
  Probes probes(model, all_measures, tensor_set(inputs_of(40, "probe")));
  probes.at_step(0, 0);
  net->to(torch::kFloat64);
  probes.at_step(4, 1);
  EXPECT_EQ(probes.records().size(), 12U);
}

TEST(ProbesOfModules, TakeOneNumberASample) {
  const Model model =
      wrap_module([](const at::Tensor& x) { return tap("one", x.sum(1)); }, torch::zeros({2, 6}));
  Probes probes(model, {.taps = {"one"}, .every = 1}, tensor_set(inputs_of(40), {}, 16));
  probes.step();
  const at::Tensor sums = inputs_of(40).sum(1).to(at::kDouble);
  EXPECT_NEAR(*probes.records()[0].numbers.at("total_variance"),
              sums.var(/*unbiased=*/false).item<double>(), 1e-6);
  EXPECT_EQ(probes.records()[0].lists.at("eigenvalues").size(), 1U);
}

TEST(ProbesOfModules, HandOverWhatWasMadeBeforeAFailure) {
  double scale = 1;
  const Model model =
      wrap_module([&](const at::Tensor& x) { return tap("later", tap("first", x) * scale); },
                  torch::zeros({2, 6}));
  int received = 0;
  Probes probes(model, {.taps = {"first"}, .every = 1}, tensor_set(inputs_of(8)));
  probes.add({.taps = {"later"}, .every = 1}, tensor_set(inputs_of(8)));
  probes.add_sink([](const ProbeRecord&) { throw std::runtime_error("full"); });
  probes.add_sink([&](const ProbeRecord&) { ++received; });
  scale = std::numeric_limits<double>::infinity();
  EXPECT_THAT([&] { probes.step(); }, ThrowsWith<Failure>("non-finite", "'later'"));
  EXPECT_EQ(received, 2);
  EXPECT_EQ(probes.new_lines().size(), 1U);
  EXPECT_GT(probes.cost().seconds, 0);
}

TEST(ProbesOfTorchScript, RefuseWeightsThatAreNotFinite) {
  const Model model = load_model(std::string(DESCRAMBLE_SOURCE_DIR) + "/models/glyph_mlp.pt");
  for (const auto& [name, parameter] : model.parameters()) {
    if (name == "fc1.weight") parameter.detach()[0][0] = std::nan("");
  }
  Probes probes(model, {.taps = {"fc1"}, .every = 1, .measure = {"diagonal_sum"}});
  EXPECT_THAT([&] { probes.step(); }, ThrowsWith<Failure>("non-finite", "'fc1'", "the weight"));
}

TEST(ProbesOfTorchScript, GoOnFromACheckpoint) {
  const Model model = load_model(std::string(DESCRAMBLE_SOURCE_DIR) + "/models/glyph_mlp.pt");
  Probes probes(model, {.taps = {"fc1"}, .every = 10});
  probes.resume(19, 3);
  EXPECT_TRUE(probes.records().empty());
  probes.forward({at::rand({4, 1, 28, 28})});
  probes.step();
  EXPECT_EQ(probes.records().at(0).step, 20);
  EXPECT_EQ(probes.records().at(0).epoch, 3);
  EXPECT_TRUE(Probes(std::move(probes)).records().size() == 2);
}

class ProbeSinks : public ::testing::Test {
 protected:
  TemporaryFolder folder_{};
  const ProbeRecord record_{.probe = 1,
                            .step = 200,
                            .epoch = 2,
                            .tap = "a,b",
                            .measure = "spectrum",
                            .numbers = {{"first_share", std::nullopt}, {"total_variance", 0.1}},
                            .lists = {{"eigenvalues", {0.5, 0.25}}}};
};

TEST_F(ProbeSinks, WriteLinesOfJson) {
  const auto file = folder_.path() / "probes.jsonl";
  const ProbeSink sink = json_lines_sink(file);
  sink(record_);
  const std::string line =
      R"({"eigenvalues":[0.5,0.25],"epoch":2,"first_share":null,"measure":"spectrum","probe":1,)"
      R"("step":200,"tap":"a,b","total_variance":0.1})"
      "\n";
  EXPECT_EQ(read_file(file), line) << "while the sink is open";
  json_lines_sink(file, IfExists::append)(record_);
  EXPECT_EQ(read_file(file), line + line);
}

TEST_F(ProbeSinks, WriteLinesOfCsv) {
  const auto file = folder_.path() / "probes.csv";
  csv_sink(file)(record_);
  csv_sink(file, IfExists::append)(record_);
  const std::string rows =
      "1,200,2,\"a,b\",spectrum,first_share,\n"
      "1,200,2,\"a,b\",spectrum,total_variance,0.1\n"
      "1,200,2,\"a,b\",spectrum,eigenvalues.0,0.5\n"
      "1,200,2,\"a,b\",spectrum,eigenvalues.1,0.25\n";
  EXPECT_EQ(read_file(file), "probe,step,epoch,tap,measure,figure,value\n" + rows + rows);
}

TEST_F(ProbeSinks, EndALineThatACrashHasTorn) {
  const auto file = folder_.path() / "probes.jsonl";
  write_file(file, "{\"probe\":0,\"st");
  json_lines_sink(file, IfExists::append)(record_);
  EXPECT_THAT(read_file(file), ::testing::StartsWith("{\"probe\":0,\"st\n{\"eigenvalues\""));
}

TEST_F(ProbeSinks, LoseNothing) {
  for (const auto& open : {&json_lines_sink, &csv_sink}) {
    const auto file = folder_.path() / "kept";
    write_file(file, "precious");
    EXPECT_THAT([&] { open(file, IfExists::refuse); },
                ThrowsError("the file exists", "kept", "IfExists::append"));
    EXPECT_EQ(read_file(file), "precious");
    EXPECT_THAT([&] { open(folder_.path() / "absent" / "file", IfExists::refuse); },
                ThrowsError("cannot write", "absent"));
    if (!std::filesystem::exists("/dev/full")) continue;
    const ProbeSink full = open("/dev/full", IfExists::append);
    EXPECT_THROW(full(record_), Failure);
  }
}

}  // namespace

}  // namespace descramble::test
