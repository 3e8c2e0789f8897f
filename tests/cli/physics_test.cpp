// The shipped configs of physics, reduced to seconds: they train, run, verify and answer. The full
// ones, and the figures that they gave, are in docs/deernet.md and docs/inverse_problems.md.

#include <fmt/format.h>
#include <torch/csrc/jit/api/module.h>

#include "cli/command.h"
#include "descramble/core/random.h"

namespace descramble::test {

namespace {

class Physics : public CommandTest {
 protected:
  std::string config(const std::string& name) const {
    return source("configs/" + name + ".json").string();
  }

  void succeed(std::vector<std::string> args, const std::vector<std::string>& assignments = {}) {
    for (const std::string& one : assignments) {
      args.emplace_back("--set");
      args.push_back(one);
    }
    const Outcome outcome = command(args);
    ASSERT_EQ(outcome.code, 0) << args[1] << ": " << outcome.err;
  }

  /// Trains one config and runs another on its model; the result of the latter.
  json train_and_run(const std::string& train, const std::string& run,
                     const std::vector<std::string>& training,
                     std::vector<std::string> running = {}) {
    succeed({"train", config(train), "--out", at("net").string(), "--quiet"}, training);
    running.push_back("/model/path=" + at("net/model.pt").string());
    return run_of(run, running);
  }

  json run_of(const std::string& run, const std::vector<std::string>& assignments) {
    succeed({"run", config(run), "--out", at("out").string(), "--quiet", "--force"}, assignments);
    EXPECT_EQ(command({"verify", at("out").string()}).code, 0);
    return json::parse(read(at("out/result.json")));
  }

  /// The answer of a reading, or of one of its controls.
  static double answer(const json& reading, const std::string& name,
                       const std::string& control = "") {
    const json& answers =
        control.empty() ? reading.at("answers") : reading.at("controls").at(control);
    for (const json& one : answers) {
      if (one.at("name") == name) return one.at("value");
    }
    ADD_FAILURE() << "no answer " << name;
    return 0;
  }
};

TEST_F(Physics, DeernetIsTrainedAndRead) {
  const json result = train_and_run("deernet_train", "deernet_descramble",
                                    {"/data/train/count=6000", "/data/test/count=500",
                                     "/train/epochs=12", "/train/schedule/every=4"},
                                    {"/data/train/count=3000", "/data/test/count=500"});
  const json& steps = result["steps"];
  EXPECT_LT(steps[1]["objective"]["after"], 0.01 * steps[1]["objective"]["before"].get<double>());
  const json& fourier = steps[3]["readings"][0];
  EXPECT_GT(answer(fourier, "band_high"), 0);
  for (const char* control : {"raw", "untrained", "rotated"})
    EXPECT_TRUE(fourier["controls"].contains(control)) << control;
  // The singular vectors of W₂P₂ᵀ are sinusoids where those of W₂ are not (Amey et al., 2021).
  const json& sinusoids = steps[4]["readings"][0];
  EXPECT_GT(answer(sinusoids, "mean_r2"), 0.7);
  EXPECT_LT(answer(sinusoids, "mean_r2", "raw"), 0.4);
  EXPECT_TRUE(fs::exists(at("out/readings.csv")));
  EXPECT_NE(read(at("out/readings.csv")).find("ridge"), std::string::npos);
  EXPECT_EQ(steps[3]["matrix"]["shape"], json::array({80, 256}));
}

TEST_F(Physics, BandPassIsReadOffTheDescrambledLayer) {
  const json result = train_and_run("bandpass_train", "bandpass_descramble",
                                    {"/data/train/count=6000", "/data/test/count=200",
                                     "/train/epochs=40", "/train/optimizer/lr=0.003"},
                                    {"/data/train/count=500", "/data/test/count=200"});
  const json& fourier = result["steps"][2]["readings"][0];
  EXPECT_NEAR(answer(fourier, "band_low"), 10, 2);
  EXPECT_NEAR(answer(fourier, "band_high"), 50, 2);
  EXPECT_NEAR(answer(fourier, "ridge_exponent"), 1, 0.05);
  EXPECT_LT(answer(fourier, "ridge_r2", "raw"), 0.2);
}

TEST_F(Physics, BiexponentialNetworkIsTrainedAndRead) {
  const json result = train_and_run("biexponential_train", "biexponential_descramble",
                                    {"/data/train/count=6375", "/data/test/count=1275",
                                     "/train/epochs=3", "/train/optimizer/lr=0.001"},
                                    {"/data/train/count=1275", "/data/test/count=1275"});
  const json& vectors = result["steps"][2]["readings"][0];
  EXPECT_GT(answer(vectors, "vector_1_r2"), 0.5);
  EXPECT_LT(answer(vectors, "vector_1_r2", "untrained"), 0.3);
}

TEST_F(Physics, OscillationsAreDescrambledAsPredicted) {
  const json result = run_of("oscillation", {"/data/count=100000"});
  const json& alignment = result["steps"][1]["readings"][0];
  EXPECT_LT(answer(alignment, "relative_distance"), 0.1);
  EXPECT_GT(answer(alignment, "relative_distance", "rotated"), 0.5);
}

TEST_F(Physics, OtherConfigsRun) {
  run_of("cnn_corollary", {"/data/count=2000"});
  const json result = run_of("jacobian_at_mean", {"/data/train/count=400", "/data/test/count=100"});
  EXPECT_EQ(result["steps"].size(), 4U);
  // Random directions give the singular vectors of the exact Jacobian at the last layer.
  const json by_noise =
      run_of("jacobian_at_mean", {"/data/train/count=400", "/data/test/count=100",
                                  "/steps/3/with/directions=2000", "/steps/3/controls=rotated"});
  EXPECT_NEAR(answer(by_noise["steps"][3]["readings"][0], "relative_distance"),
              answer(result["steps"][3]["readings"][0], "relative_distance"), 0.05);
  succeed({"train", config("linear_dynamics"), "--out", at("linear").string(), "--quiet"},
          {"/train/epochs=2"});
  EXPECT_TRUE(fs::exists(at("linear/model.pt")));
  const json transformer =
      train_and_run("transformer_train", "transformer_jacobian_at_mean",
                    {"/data/train/count=500", "/data/test/count=100", "/train/epochs=1"},
                    {"/data/train/count=100", "/data/test/count=50", "/steps/2/controls=rotated",
                     "/steps/3/controls=rotated", "/steps/4/controls=rotated",
                     "/steps/5/controls=rotated", "/steps/6/controls=rotated"});
  EXPECT_EQ(transformer["steps"].size(), 7U);
}

// One number of several runs: a table, and a figure where it is asked for.
TEST_F(Physics, RunsAreCompared) {
  const auto name = [](const std::string& run) { return "/name=" + run; };
  for (const char* run : {"one", "two"}) {
    run_of("oscillation",
           {"/data/count=500", name(run), "/seed=" + std::string(*run == 'o' ? "1" : "2")});
    fs::rename(at("out"), at(run));
  }
  const std::vector<std::string> folders{at("one").string(), at("two").string()};
  const auto compare = [&](std::vector<std::string> args) {
    args.insert(args.begin(), folders.begin(), folders.end());
    args.insert(args.begin(), "compare");
    return command(args);
  };
  using testing::HasSubstr;
  EXPECT_THAT(compare({}).out, HasSubstr("relative_distance\n"));
  const Outcome table =
      compare({"--answer", "relative_distance", "--out", at("share.svg").string()});
  ASSERT_EQ(table.code, 0) << table.err;
  const json answers = json::parse(read(at("two/result.json")))["steps"][1]["readings"][0];
  EXPECT_THAT(table.out, HasSubstr(fmt::format("{:.4g}", answer(answers, "relative_distance"))));
  EXPECT_THAT(table.out,
              HasSubstr(fmt::format("{:.4g}", answer(answers, "relative_distance", "rotated"))));
  EXPECT_THAT(read(at("share.svg")), HasSubstr("two, P of fc1"));
  const auto refused = [&](const Outcome& outcome, const std::string& what) {
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr(what));
  };
  refused(compare({"--answer", "relativ_distance"}), "'relative_distance'");
  refused(compare({"--answer", "relative_distance", "--out", at("share.svg").string()}), "--force");
  refused(compare({"--answer", "relative_distance", "--out", at("no/x.svg").string()}),
          "no such folder");
  refused(command({"show", at("one").string(), "steps.0.fc1.rotation", "--out",
                   at("no/x.svg").string()}),
          "no such folder");
  refused(command({"compare", at("none").string()}), "not a result folder");
}

TEST_F(Physics, ReadRefusesWhatCannotBe) {
  const std::string run = config("oscillation");
  const auto refused = [&](const std::vector<std::string>& assignments) {
    std::vector<std::string> args{"run",     run,     "--out",          at("none").string(),
                                  "--quiet", "--set", "/data/count=500"};
    for (const std::string& one : assignments) {
      args.emplace_back("--set");
      args.push_back(one);
    }
    const Outcome outcome = command(args);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_FALSE(fs::exists(at("none")));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    return outcome.err;
  };
  using testing::HasSubstr;
  EXPECT_THAT(refused({"/steps/1/matrix/step=1"}), HasSubstr("no earlier step that rotates"));
  EXPECT_THAT(refused({"/steps/1/with/layer=\"fc9\""}), HasSubstr("fc9"));
  EXPECT_THAT(refused({"/steps/1/with=null"}), HasSubstr("compares two matrices"));
  EXPECT_THAT(refused({"/steps/1/with={\"kind\":\"rotation\",\"step\":7,\"tap\":\"fc1\"}"}),
              HasSubstr("with"));
  EXPECT_THAT(refused({"/steps/1/matrix/tap=nonsense"}), HasSubstr("tap nonsense"));
  EXPECT_THAT(refused({"/steps/1/with/layer=fc1.input"}), HasSubstr("fc1.input"));
  EXPECT_THAT(refused({"/steps/1/readings=[]"}), HasSubstr("/steps/1/readings"));
  EXPECT_THAT(refused({"/steps/1/readings=[{\"kind\":\"singular_vectors\",\"to\":30}]"}),
              HasSubstr("no such singular vectors"));
}

// The control is a network without training, or there is none; it is never the trained one.
TEST_F(Physics, UntrainedControlsAreUntrained) {
  torch::jit::Module plain("plain");  // weights of another name than a layer has
  RandomStream random = random_stream(1, "test/plain");
  plain.register_parameter("w", random.normal_tensor({8, 8}).to(::at::kFloat), false);
  plain.register_attribute("training", c10::BoolType::get(), false);
  plain.define("def forward(self, x):\n  return torch.tanh(torch.matmul(x, self.w))\n");
  plain.save(at("plain.pt").string());
  torch::jit::Module constant("constant");  // no parameter, as in a frozen model
  constant.register_buffer("w", random.normal_tensor({8, 8}).to(::at::kFloat));
  constant.register_attribute("training", c10::BoolType::get(), false);
  constant.define("def forward(self, x):\n  return torch.tanh(torch.matmul(x, self.w))\n");
  constant.save(at("constant.pt").string());
  for (const fs::path& model : {at("plain.pt"), at("constant.pt"), fixture("forked.pt")}) {
    SCOPED_TRACE(model);
    const json config = {{"name", "control"},
                         {"threads", 1},
                         {"model", {{"kind", "torchscript"}, {"path", model.string()}}},
                         {"data", {{"kind", "linear"}, {"count", 20}, {"inputs", 8}}},
                         {"steps",
                          {{{"kind", "read"},
                            {"matrix", {{"kind", "jacobian_at_mean"}, {"to", "output"}}},
                            {"controls", "untrained"},
                            {"readings", {{{"kind", "spectrum"}, {"count", 1}}}}}}}};
    const Outcome outcome = run_config(config, {"--force"});
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    const json step = json::parse(read(at("out/result.json")))["steps"][0];
    const json& reading = step["readings"][0];
    EXPECT_EQ(reading["controls"].contains("untrained"), model != at("constant.pt"));
    if (model == at("constant.pt")) {
      EXPECT_THAT(step["notes"][0].get<std::string>(), testing::HasSubstr("no untrained control"));
    } else {
      EXPECT_NE(answer(reading, "singular_value_1"),
                answer(reading, "singular_value_1", "untrained"));
    }
  }
}

TEST_F(Physics, DataAreWrittenAndUsed) {
  for (const char* kind : {"deer", "biexponential", "bandpass", "linear", "oscillation"}) {
    const Outcome outcome = command(
        {"data", kind, "--out", at(kind).string(), "--train", "40", "--test", "10", "--quiet"});
    ASSERT_EQ(outcome.code, 0) << kind << outcome.err;
    EXPECT_TRUE(fs::exists(at(kind) / "train.safetensors"));
    EXPECT_TRUE(fs::exists(at(kind) / "descramble-data.json"));
  }
  const auto refused = [&](std::vector<std::string> args) {
    args.insert(args.begin(), "data");
    args.insert(args.end(), {"--out", at("none").string()});
    const Outcome outcome = command(args);
    EXPECT_EQ(outcome.code, 2) << outcome.err;
    EXPECT_FALSE(fs::exists(at("none")));
    return outcome.err;
  };
  using testing::HasSubstr;
  EXPECT_THAT(refused({"spiral"}), HasSubstr("'deer'"));
  EXPECT_THAT(refused({"deer", "--set", "/distance_min=5"}), HasSubstr("/distance_min"));
  EXPECT_THAT(refused({"deer", "--set", "/count=5"}), HasSubstr("set twice"));
  EXPECT_THAT(refused({"deer", "--set", "/kind=linear"}), HasSubstr("set twice"));
  EXPECT_THAT(refused({"linear", "--set", "/alpha=1e308"}), HasSubstr("not finite"));
  EXPECT_THAT(refused({"bandpass", "--set", "/low=10.2", "--set", "/high=10.4"}),
              HasSubstr("no frequency"));
  EXPECT_THAT(refused({"biexponential", "--set", "/low=5"}), HasSubstr("does not reach"));
  EXPECT_THAT(refused({"deer", "--set", "/times=[0,1,1]"}), HasSubstr("/times"));
}

/// The demonstration versions as they are shipped: five minutes on two cores.
class LongPhysics : public Physics {};

TEST_F(LongPhysics, DeernetShowsTheCubicLawAndSinusoids) {
  const json result = train_and_run("deernet_train", "deernet_descramble", {});
  const json& fourier = result["steps"][3]["readings"][0];
  EXPECT_NEAR(answer(fourier, "ridge_exponent"), 3, 0.5);
  EXPECT_GT(answer(fourier, "ridge_r2"), 4 * answer(fourier, "ridge_r2", "raw"));
  EXPECT_GT(answer(fourier, "ridge_r2"), 2 * answer(fourier, "ridge_r2", "untrained"));
  // Amey et al. (2021): bins 95 and 162 of 256, 33 or 34 from the centre.
  EXPECT_NEAR(answer(fourier, "band_high"), 33.5, 4);
  EXPECT_LT(answer(fourier, "notch"), 0.5);
  const json& sinusoids = result["steps"][4]["readings"][0];
  EXPECT_GT(answer(sinusoids, "mean_r2"), 0.85);
  EXPECT_LT(answer(sinusoids, "mean_r2", "raw"), 0.3);
  EXPECT_LT(answer(sinusoids, "mean_r2", "rotated"), 0.3);
}

TEST_F(LongPhysics, RegularisedInputsLowerTheErrorOfBiexponentialNetworks) {
  const auto error = [](const json& result) { return result["steps"][0]["loss"].get<double>(); };
  const json regularised = train_and_run("biexponential_train", "biexponential_descramble", {});
  const json& vectors = regularised["steps"][2]["readings"][0];
  for (const char* name : {"vector_1_r2", "vector_2_r2", "vector_3_r2"}) {
    EXPECT_GT(answer(vectors, name), 0.7) << name;
    EXPECT_LT(answer(vectors, name, "untrained"), 0.3) << name;
  }
  fs::remove_all(at("net"));
  const json same = train_and_run("biexponential_same_train", "biexponential_descramble", {},
                                  {"/data/train/second=same", "/data/test/second=same"});
  EXPECT_LT(error(regularised), error(same));
}

}  // namespace

}  // namespace descramble::test
