#include "cli/command.h"

#include <algorithm>

#include "descramble/core/interrupt.h"

namespace descramble::test {

namespace {

using Command = CommandTest;

TEST_F(Command, HelpAndVersion) {
  for (const std::vector<std::string>& call :
       std::vector<std::vector<std::string>>{{"--help"},
                                             {"taps", "--help"},
                                             {"check", "--help"},
                                             {"run", "--help"},
                                             {"train", "--help"},
                                             {"verify", "--help"},
                                             {"data", "--help"},
                                             {"kinds", "--help"}}) {
    const Outcome outcome = command(call);
    EXPECT_EQ(outcome.code, 0);
    EXPECT_THAT(outcome.out, testing::HasSubstr("descramble"));
    EXPECT_EQ(outcome.err, "");
    if (call.size() == 2) {
      EXPECT_THAT(outcome.out, testing::HasSubstr(call[0]));
    }
  }
  EXPECT_THAT(command({"--version"}).out,
              testing::StartsWith(std::string("descramble ") + DESCRAMBLE_VERSION));
}

TEST_F(Command, TapsListsNamesWithoutRunning) {
  const Outcome outcome = command({"taps", fixture("mlp.pt").string()});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_THAT(outcome.out, testing::HasSubstr("fc1"));
  EXPECT_THAT(outcome.out, testing::Not(testing::HasSubstr("shape")));
}

TEST_F(Command, TapsShowsShapes) {
  const Outcome outcome =
      command({"taps", source("models/glyph_mlp.pt").string(), "--input", "3,1,28,28", "--json"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json taps = json::parse(outcome.out)["taps"];
  const auto found =
      std::find_if(taps.begin(), taps.end(), [](const json& tap) { return tap["name"] == "fc1"; });
  ASSERT_NE(found, taps.end());
  EXPECT_EQ((*found)["kind"], "module");
  EXPECT_EQ((*found)["type"], "Linear");
  EXPECT_EQ((*found)["shape"], json::array({3, 64}));
  EXPECT_EQ((*found)["dtype"], "float32");
  EXPECT_EQ((*found)["fired"], 1);
}

TEST_F(Command, TapsTakesNamedInputs) {
  const Outcome outcome =
      command({"taps", fixture("two_inputs.pt").string(), "--input", "4,8", "--input", "4,6"});
  EXPECT_EQ(outcome.code, 0) << outcome.err;
}

TEST_F(Command, CheckPrintsEveryDefault) {
  write("config.json", small_config().dump());
  const Outcome outcome =
      command({"check", at("config.json").string(), "--set", "/seed=7", "--set", "/name=other"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json resolved = json::parse(outcome.out);
  EXPECT_EQ(resolved["seed"], 7);
  EXPECT_EQ(resolved["name"], "other");
  EXPECT_EQ(resolved["device"], "cpu");
  EXPECT_TRUE(resolved["steps"][1]["solver"].is_null()) << "the best known";
  EXPECT_EQ(resolved["steps"][1]["objective"]["stencil"], "fourier_second");
  // A resolved config is a config, and resolves to itself.
  write("again.json", outcome.out);
  EXPECT_EQ(command({"check", at("again.json").string()}).out, outcome.out);
}

TEST_F(Command, RunWritesACompleteCertifiedFolder) {
  const Outcome outcome = run_config(small_config());
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  for (const char* part : {"fc1", "d = 64", "optimum", "certificate", "exported"})
    EXPECT_THAT(outcome.out, testing::HasSubstr(part));
  const json result = json::parse(read(at("out/result.json")));
  EXPECT_EQ(result["schema_version"], 1);
  EXPECT_EQ(result["config"]["steps"][1]["tap"], "fc1");
  EXPECT_EQ(result["inputs"][0]["role"], "model");
  EXPECT_EQ(result["inputs"][0]["sha256"].get<std::string>().size(), 64U);
  const json& step = result["steps"][1];
  EXPECT_EQ(step["taps"][0]["shape"], json::array({64}));
  EXPECT_EQ(step["solver"]["reason"], "exact");
  EXPECT_NEAR(step["objective"]["after"].get<double>(), step["objective"]["optimum"].get<double>(),
              1e-10 * step["objective"]["before"].get<double>());
  EXPECT_LT(step["objective"]["held_out"]["after"], step["objective"]["held_out"]["before"]);
  EXPECT_LE(step["certificate"]["orthogonality"].get<double>(), 1e-12 * 64);
  EXPECT_LE(step["certificate"]["inserted"].get<double>(), 1e-5);
  EXPECT_LE(step["certificate"]["exported"].get<double>(), 1e-5);
  EXPECT_GT(result["steps"][0]["top1"].get<double>(), 0.9);
  for (const char* file : {"model.pt", "tensors.safetensors", "timings.json"})
    EXPECT_TRUE(fs::exists(at("out") / file));
  const Outcome verified = command({"verify", at("out").string()});
  EXPECT_EQ(verified.code, 0) << verified.out << verified.err;
  EXPECT_THAT(verified.out, testing::HasSubstr("pair inserted into the original"));
}

TEST_F(Command, ShippedClassifierReadsHeldOutGlyphs) {
  const Outcome outcome = command(
      {"run", source("configs/first.json").string(), "--out", at("out").string(), "--quiet"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json result = json::parse(read(at("out/result.json")));
  EXPECT_GE(result["steps"][0]["top1"].get<double>(), 0.98);
  EXPECT_EQ(result["steps"][0]["count"], 4000);
}

TEST_F(Command, SameRunSameBytes) {
  ASSERT_EQ(run_config(small_config()).code, 0);
  ASSERT_EQ(
      command({"run", at("config.json").string(), "--out", at("deep/er").string(), "--quiet"}).code,
      0);
  for (const char* file : {"result.json", "tensors.safetensors", "model.pt"}) {
    EXPECT_EQ(read(at("out") / file), read(at("deep/er") / file)) << file;
  }
}

TEST_F(Command, QuietPrintsNothing) {
  const Outcome outcome = run_config(small_config(), {"--quiet"});
  EXPECT_EQ(outcome.code, 0);
  EXPECT_EQ(outcome.out + outcome.err, "");
}

TEST_F(Command, OneFlippedByteFailsVerification) {
  ASSERT_EQ(run_config(small_config()).code, 0);
  for (const char* file : {"tensors.safetensors", "model.pt"}) {
    const std::string whole = read(at("out") / file);
    for (const double share : {0.2, 0.5, 0.99}) {
      std::string changed = whole;
      changed[static_cast<std::size_t>(share * static_cast<double>(whole.size()))] ^= 0x10;
      write(std::string("out/") + file, changed);
      const Outcome outcome = command({"verify", at("out").string()});
      EXPECT_EQ(outcome.code, 1) << file << " at " << share;
      EXPECT_THAT(outcome.out, testing::HasSubstr("FAILED"));
      EXPECT_THAT(outcome.err, testing::HasSubstr("certificate does not hold"));
    }
    write(std::string("out/") + file, whole);
  }
  EXPECT_EQ(command({"verify", at("out").string()}).code, 0);
  fs::remove(at("out/model.pt"));
  EXPECT_EQ(command({"verify", at("out").string()}).code, 1);
}

TEST_F(Command, BeforeAndAfterTheActivationInFloat64) {
  json config = small_config();
  config["dtype"] = "float64";
  config["steps"] = json::array(
      {{{"kind", "descramble"},
        {"tap", "act1"},
        {"position", "before"},
        {"objective", {{"kind", "smoothness"}}}},
       {{"kind", "descramble"},
        {"taps", {"act1", "fc2"}},
        {"objective", {{"kind", "smoothness"}, {"stencil", "forward_free"}, {"center", false}}}}});
  const Outcome outcome = run_config(config);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json result = json::parse(read(at("out/result.json")));
  for (const json& step : result["steps"]) {
    EXPECT_LE(step["certificate"]["inserted"].get<double>(), 1e-12);
    EXPECT_LE(step["certificate"]["exported"].get<double>(), 1e-12);
  }
  EXPECT_EQ(result["steps"][0]["taps"][0]["name"], "act1.input");
  EXPECT_EQ(command({"verify", at("out").string()}).code, 0);
}

TEST_F(Command, OneDirectionHasNothingToRotate) {
  json config = small_config();
  config["steps"][1]["tap"] = "input";  // one channel
  const Outcome outcome = run_config(config);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, testing::HasSubstr("d = 1,"));
  EXPECT_THAT(outcome.out, testing::Not(testing::HasSubstr("nan")));
}

TEST_F(Command, StatisticsAndCapture) {
  json config = small_config();
  config["steps"] =
      json::array({{{"kind", "statistics"}, {"taps", {"fc*", "act1"}}},
                   {{"kind", "capture"}, {"taps", "act2"}, {"limit", 17}, {"data", "test"}}});
  const Outcome outcome = run_config(config);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json result = json::parse(read(at("out/result.json")));
  ASSERT_EQ(result["steps"][0]["taps"].size(), 4U);  // in the model's order
  EXPECT_EQ(result["steps"][0]["taps"][1]["name"], "act1");
  EXPECT_EQ(result["steps"][0]["taps"][0]["count"], 300);
  EXPECT_EQ(result["steps"][1]["count"], 17);
  EXPECT_FALSE(fs::exists(at("out/model.pt")));
  EXPECT_EQ(command({"verify", at("out").string()}).code, 0);
}

TEST_F(Command, FixturesOfOtherShapesCanBeDescrambled) {
  json config = small_config();
  config["data"] = vector_data();
  config["steps"] = json::array(
      {{{"kind", "descramble"}, {"taps", "fc1"}, {"objective", {{"kind", "smoothness"}}}}});
  for (const char* name : {"mlp.pt", "mlp_traced.pt", "tuple_output.pt"}) {
    config["model"]["path"] = fixture(name).string();
    if (std::string(name) == "tuple_output.pt") {
      config["model"]["output"] = 0;
      config["steps"][0]["taps"] = "input";
    }
    const Outcome outcome = run_config(config, {"--force"});
    EXPECT_EQ(outcome.code, 0) << name << ": " << outcome.err;
    EXPECT_EQ(command({"verify", at("out").string()}).code, 0);
  }
}

TEST_F(Command, TrainingIsProbed) {
  const json config = {
      {"name", "probed"},
      {"threads", 1},
      {"model",
       {{"kind", "sequential"},
        {"input", {1, 28, 28}},
        {"layers", {{{"kind", "flatten"}}, {{"kind", "linear"}, {"name", "fc1"}, {"out", 10}}}}}},
      {"data", {{"kind", "glyphs"}, {"count", 500}}},
      {"train",
       {{"loss", "mse"},
        {"optimizer", {{"kind", "sgd"}}},
        {"epochs", 2},
        {"probes",
         {{{"taps", "fc*"}, {"every", 2}, {"measure", {"smoothness", "diagonal_sum"}}}}}}}};
  write("train.json", config.dump());
  const std::vector<std::string> train{"train", at("train.json").string(), "--out",
                                       at("out").string()};
  const Outcome outcome = command(train);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, testing::HasSubstr("probe  step 8: fc1 smoothness"));
  const json result = json::parse(read(at("out/result.json")));
  EXPECT_EQ(result["steps"][0]["loss_kind"], "mse");
  EXPECT_EQ(result["warnings"], json::array());
  std::istringstream lines(read(at("out/probes.jsonl")));
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count)
    EXPECT_EQ(json::parse(line)["tap"], "fc1");
  EXPECT_EQ(count, 2 * 5U);
  for (const char* figure : {"probe_smoothness.svg", "probe_diagonal_sum.svg"})
    EXPECT_TRUE(fs::exists(at("out") / figure)) << figure;
  EXPECT_EQ(command({"verify", at("out").string()}).code, 0);
  write("out/probes.jsonl", "{}\n");
  EXPECT_EQ(command({"verify", at("out").string()}).code, 1);
}

TEST_F(Command, TrainsFromAConfig) {
  const json config = {
      {"name", "tiny"},
      {"threads", 1},
      {"model",
       {{"kind", "sequential"},
        {"input", {1, 28, 28}},
        {"layers",
         {{{"kind", "flatten"}},
          {{"kind", "linear"}, {"name", "fc1"}, {"out", 10}},
          {{"kind", "dropout"}}}}}},
      {"data",
       {{"train", {{"kind", "glyphs"}, {"count", 2000}}},
        {"test", {{"kind", "glyphs"}, {"count", 500}}}}},
      {"train",
       {{"epochs", 3}, {"optimizer", {{"kind", "adam"}, {"lr", 0.01}}}, {"schedule", {2}}}}};
  write("train.json", config.dump());
  const Outcome outcome =
      command({"train", at("train.json").string(), "--out", at("out").string()});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json result = json::parse(read(at("out/result.json")));
  const json& epochs = result["steps"][0]["epochs"];
  ASSERT_EQ(epochs.size(), 3U);
  EXPECT_LT(epochs[2]["train_loss"], epochs[0]["train_loss"]);
  EXPECT_GT(result["steps"][0]["top1"].get<double>(), 0.6);
  EXPECT_NEAR(epochs[2]["lr"].get<double>(), 0.002, 1e-12);
  ASSERT_EQ(
      command({"train", at("train.json").string(), "--out", at("again").string(), "--quiet"}).code,
      0);
  EXPECT_EQ(read(at("out/model.pt")), read(at("again/model.pt")));
  EXPECT_EQ(command({"verify", at("out").string()}).code, 0);
  expect_refused(command({"run", at("train.json").string(), "--out", at("x").string()}),
                 {"descramble train"});
}

TEST_F(Command, DataThatItWritesIsDataThatItReads) {
  ASSERT_EQ(
      command({"data", "glyphs", "--out", at("glyphs").string(), "--train", "50", "--test", "20"})
          .code,
      0);
  json config = small_config();
  for (const auto& [split, prefix] : {std::pair{"train", "train"}, std::pair{"test", "t10k"}}) {
    config["data"][split] = {
        {"kind", "idx"},
        {"images", (at("glyphs") / (std::string(prefix) + "-images-idx3-ubyte")).string()},
        {"labels", (at("glyphs") / (std::string(prefix) + "-labels-idx1-ubyte")).string()}};
  }
  const Outcome outcome = run_config(config);
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_GT(json::parse(read(at("out/result.json")))["steps"][0]["top1"].get<double>(), 0.9);
  expect_refused(command({"data", "glyphs", "--out", at("glyphs").string()}), {"exists already"});
}

TEST_F(Command, KindsNamesFieldsAndDefaults) {
  const std::string all = command({"kinds"}).out;
  for (const char* name :
       {"torchscript", "sequential", "glyphs", "descramble", "smoothness", "exact", "adam"})
    EXPECT_THAT(all, testing::HasSubstr(name));
  const std::string one = command({"kinds", "smoothness"}).out;
  for (const char* part : {"Amey", "stencil", "fourier_second", "center"})
    EXPECT_THAT(one, testing::HasSubstr(part));
}

using RealData = CommandTest;

TEST_F(RealData, SqueezeNetOnTwoHundredPhotographs) {
  if (std::getenv("DESCRAMBLE_DATA") == nullptr) GTEST_SKIP() << "DESCRAMBLE_DATA is not set";
  const Outcome outcome = command(
      {"run", source("configs/squeezenet_channels.json").string(), "--out", at("out").string()});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json result = json::parse(read(at("out/result.json")));
  // 128 and 174 of 200 with torchvision's decoder; one more or less with another.
  EXPECT_NEAR(result["steps"][0]["top1"].get<double>() * 200, 128, 2);
  EXPECT_NEAR(result["steps"][0]["top5"].get<double>() * 200, 174, 2);
  EXPECT_EQ(result["steps"][1]["taps"][0]["shape"], json::array({64, 55, 55}));
  EXPECT_LE(result["steps"][1]["certificate"]["inserted"].get<double>(), 1e-5);
  EXPECT_LE(result["steps"][1]["certificate"]["exported"].get<double>(), 1e-5);
  EXPECT_LE(result["steps"][1]["certificate"]["orthogonality"].get<double>(), 64e-12);
  EXPECT_EQ(command({"verify", at("out").string()}).code, 0);
}

TEST_F(RealData, MnistClassifierToNinetyEightPercentAndItsExactOptimum) {
  if (std::getenv("DESCRAMBLE_DATA") == nullptr) GTEST_SKIP() << "DESCRAMBLE_DATA is not set";
  const Outcome trained = command(
      {"train", source("configs/mnist_mlp_train.json").string(), "--out", at("mlp").string()});
  ASSERT_EQ(trained.code, 0) << trained.err;
  EXPECT_GE(json::parse(read(at("mlp/result.json")))["steps"][0]["top1"].get<double>(), 0.98);
  const Outcome outcome =
      command({"run", source("configs/mnist_fc1_smoothness.json").string(), "--out",
               at("out").string(), "--set", "/model/path=" + at("mlp/model.pt").string()});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json result = json::parse(read(at("out/result.json")));
  for (const std::size_t i : {1U, 2U}) {
    const json& step = result["steps"][i];
    const double optimum = step["objective"]["optimum"];
    EXPECT_NEAR(step["objective"]["after"].get<double>(), optimum, 1e-10 * optimum);  // Σ λ μ
    EXPECT_LE(step["certificate"]["orthogonality"].get<double>(), 256e-12);
    EXPECT_LE(step["certificate"]["inserted"].get<double>(), 1e-12);
    EXPECT_LE(step["certificate"]["exported"].get<double>(), 1e-12);
  }
}

TEST_F(RealData, DigitsClassifierAndItsPatches) {
  if (std::getenv("DESCRAMBLE_DATA") == nullptr) GTEST_SKIP() << "DESCRAMBLE_DATA is not set";
  const auto make = [&](const char* verb, const char* name, const std::string& folder,
                        std::vector<std::string> more = {}) {
    std::vector<std::string> call{verb, source(name).string(), "--out", at(folder).string()};
    call.insert(call.end(), more.begin(), more.end());
    const Outcome outcome = command(call);
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    return json::parse(read(at(folder) / "result.json"))["steps"];
  };
  const json trained = make("train", "configs/digits_mlp_train.json", "mlp");
  EXPECT_GE(trained[0]["top1"].get<double>(), 0.95);
  const std::string model = "/model/path=" + at("mlp/model.pt").string();
  make("run", "configs/digits_capture.json", "captured", {"--set", model});
  std::vector<std::string> sets{"--set", model};
  for (const char* step : {"1", "2", "3"}) {
    sets.push_back("--set");
    sets.push_back(std::string("/steps/") + step + "/capture=" + at("captured").string());
  }
  const json steps = make("run", "configs/digits_patch.json", "patched", sets);
  for (const std::size_t whole : {1U, 2U}) {  // all that the output depends on
    EXPECT_LT(steps[whole]["agreement"].get<double>(), 0.3);
    EXPECT_GE(steps[whole]["donor"]["top1"].get<double>(), 0.95);
  }
  EXPECT_GT(steps[3]["agreement"].get<double>(), 0.5);  // four units of many
}

}  // namespace

}  // namespace descramble::test
