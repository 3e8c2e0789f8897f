#include <algorithm>
#include <functional>

#include <ATen/ops/rand.h>

#include "cli/command.h"
#include "descramble/core/safetensors.h"

namespace descramble::test {

namespace {

struct BadConfig {
  std::string name;
  std::function<void(json&)> change;
  std::vector<std::string> parts;  ///< of the one line on stderr
};

std::ostream& operator<<(std::ostream& out, const BadConfig& bad) {
  return out << bad.name;
}

void set(json& config, const std::string& pointer, json value) {
  config[json::json_pointer(pointer)] = std::move(value);
}

const std::vector<BadConfig>& bad_configs() {
  static const std::vector<BadConfig> cases = {
      {"UnknownKey", [](json& c) { c["sede"] = 1; }, {"unknown key 'sede'", "/sede", "'seed'"}},
      {"UnknownKeyInAStep",
       [](json& c) { set(c, "/steps/1/tapp", "fc1"); },
       {"unknown key 'tapp'", "/steps/1/tapp", "'tap'"}},
      {"FractionForAnInteger",
       [](json& c) { c["threads"] = 3.7; },
       {"/threads", "expected an integer", "found 3.7"}},
      {"TrueForAnInteger",
       [](json& c) { c["memory_mb"] = true; },
       {"/memory_mb", "expected an integer", "found true"}},
      {"NegativeSeed", [](json& c) { c["seed"] = -1; }, {"/seed", "found -1"}},
      {"StringForABoolean",
       [](json& c) { set(c, "/steps/1/objective/center", "yes"); },
       {"/steps/1/objective/center", "true or false", "\"yes\""}},
      {"WrongVersion", [](json& c) { c["schema_version"] = 2; }, {"/schema_version", "found 2"}},
      {"NoName", [](json& c) { c.erase("name"); }, {"missing key 'name'"}},
      {"NoSteps", [](json& c) { c.erase("steps"); }, {"missing key 'steps'"}},
      {"EmptySteps", [](json& c) { c["steps"] = json::array(); }, {"/steps", "a list of 0"}},
      {"StepsAndTrain",
       [](json& c) {
         c["train"] = {{"epochs", 1}};
       },
       {"both 'steps' and 'train'"}},
      {"UnknownStep",
       [](json& c) { set(c, "/steps/0/kind", "evalute"); },
       {"unknown kind", "/steps/0/kind", "'evaluate'", "\"evalute\""}},
      {"UnknownObjective",
       [](json& c) { set(c, "/steps/1/objective/kind", "roughness"); },
       {"/steps/1/objective/kind", "'smoothness'"}},
      {"UnknownStencil",
       [](json& c) { set(c, "/steps/1/objective/stencil", "fourier"); },
       {"/steps/1/objective/stencil", "'fourier_second'", "\"fourier\""}},
      {"DiagonalOfATapWithoutAWeight",
       [](json& c) {
         set(c, "/steps/1/tap", "act1");
         set(c, "/steps/1/objective", {{"kind", "maximum_diagonal_sum"}});
       },
       {"the tap has no weight", "/steps/1 (descramble), tap 'act1'", "linear or convolution"}},
      {"SolverThatDoesNotFit",
       [](json& c) {
         set(c, "/steps/1/solver", {{"kind", "generalized_power"}});
       },
       {"does not fit the objective", "/steps/1", "a concave objective", "smoothness"}},
      {"ClosedFormOfAnObjectiveWithoutOne",
       [](json& c) {
         set(c, "/steps/1/objective", {{"kind", "quartimax"}});
         set(c, "/steps/1/solver", {{"kind", "exact"}});
       },
       {"a closed form", "/steps/1", "solver 'exact'"}},
      {"FieldOfAnotherSolver",
       [](json& c) {
         set(c, "/steps/1/solver", {{"kind", "exact"}, {"starts", 3}});
       },
       {"unknown key 'starts'", "/steps/1/solver/starts"}},
      {"NoStarts",
       [](json& c) {
         set(c, "/steps/1/solver", {{"kind", "riemannian_lbfgs"}, {"starts", 0}});
       },
       {"/steps/1/solver/starts", ">= 1", "found 0"}},
      {"ComparisonAtSeveralTaps",
       [](json& c) {
         set(c, "/steps/1",
             {{"kind", "compare_solvers"},
              {"tap", "fc*"},
              {"objective", {{"kind", "smoothness"}}},
              {"solvers", json::array({{{"kind", "exact"}}})}});
       },
       {"one tap is needed", "/steps/1", "fc1, fc2, fc3"}},
      {"ComparisonOfNothing",
       [](json& c) {
         set(c, "/steps/1",
             {{"kind", "compare_solvers"},
              {"tap", "fc1"},
              {"objective", {{"kind", "smoothness"}}},
              {"solvers", json::array()}});
       },
       {"/steps/1/solvers", "non-empty list"}},
      {"UnknownSplit",
       [](json& c) { set(c, "/steps/0/data", "validation"); },
       {"/steps/0/data", "'train', 'test'"}},
      {"OnlyTrainData", [](json& c) { c["data"].erase("test"); }, {"missing key 'test'", "/data"}},
      {"UnknownTap",
       [](json& c) { set(c, "/steps/1/tap", "fc9"); },
       {"unknown tap 'fc9'", "/steps/1", "nearest", "'fc1'"}},
      {"NoTap",
       [](json& c) { c["steps"][1].erase("tap"); },
       {"exactly one of", "/steps/1", "found none"}},
      {"TapAndTaps",
       [](json& c) { set(c, "/steps/1/taps", "fc2"); },
       {"at most one of 'tap', 'taps'", "/steps/1"}},
      {"ChainWithATap",
       [](json& c) {
         set(c, "/steps/1/objective", {{"kind", "jacobian_l1"}, {"taps", {"fc1", "fc2"}}});
         c["steps"][1].erase("solver");
       },
       {"named twice", "/steps/1", "'tap' beside it"}},
      {"ChainOfOne",
       [](json& c) {
         c["steps"][1] = {{"kind", "descramble"},
                          {"objective", {{"kind", "jacobian_l1"}, {"taps", "fc1"}}}};
       },
       {"a chain needs taps", "/steps/1", "found 1"}},
      {"ChainBackwards",
       [](json& c) {
         c["steps"][1] = {{"kind", "descramble"},
                          {"objective", {{"kind", "jacobian_l1"}, {"taps", {"fc2", "fc1"}}}}};
       },
       {"no Jacobian between", "/steps/1", "'fc2' to come before 'fc1'"}},
      {"ChainWithAPattern",
       [](json& c) {
         c["steps"][1] = {{"kind", "descramble"},
                          {"objective", {{"kind", "jacobian_l1"}, {"taps", {"fc1", "fc*"}}}}};
       },
       {"no name of a tap", "/steps/1", "/objective/taps/1", "'fc*'"}},
      {"ChainTwiceThere",
       [](json& c) {
         c["steps"][1] = {
             {"kind", "descramble"},
             {"objective", {{"kind", "jacobian_l1"}, {"taps", {"fc1", "fc2", "fc1"}}}}};
       },
       {"in a chain twice", "/objective/taps/2", "'fc1'"}},
      {"ChainToNowhere",
       [](json& c) {
         c["steps"][1] = {{"kind", "descramble"},
                          {"objective", {{"kind", "jacobian_l1"}, {"taps", {"fc1", "fc9"}}}}};
       },
       {"unknown tap 'fc9'", "/objective/taps/1", "'fc1'"}},
      {"ChainForAClosedForm",
       [](json& c) {
         c["steps"][1] = {{"kind", "descramble"},
                          {"objective", {{"kind", "jacobian_l1"}, {"taps", {"fc1", "fc2"}}}},
                          {"solver", {{"kind", "exact"}}}};
       },
       {"does not fit", "/steps/1", "solver 'exact'", "jacobian_l1"}},
      {"KinksWhereThereAreNone",
       [](json& c) {
         set(c, "/steps/1/solver", {{"kind", "annealed"}});
       },
       {"does not fit", "/steps/1", "solver 'annealed'", "smoothness"}},
      {"ChainRotatesWhatAnotherStepRotates",
       [](json& c) {
         c["steps"].push_back({{"kind", "descramble"},
                               {"objective", {{"kind", "jacobian_l1"}, {"taps", {"fc1", "fc2"}}}}});
       },
       {"'fc1' is rotated twice", "/steps/2", "/steps/1 too"}},
      {"LearnsBesideTheChain",
       [](json& c) {
         c["steps"][1] = {
             {"kind", "descramble"},
             {"objective", {{"kind", "jacobian_l1"}, {"taps", {"fc1", "fc2"}}, {"learn", "act1"}}}};
       },
       {"not in the chain", "/steps/1", "'act1'"}},
      {"JacobianOfNoSamples",
       [](json& c) {
         c["steps"][1] = {{"kind", "jacobian"}, {"from", "fc1"}, {"to", "fc2"}, {"samples", 0}};
       },
       {"/steps/1/samples", "an integer >= 1", "found 0"}},
      {"JacobianFromNowhere",
       [](json& c) {
         c["steps"][1] = {{"kind", "jacobian"}, {"from", "fc9"}, {"to", "fc2"}};
       },
       {"unknown tap 'fc9'", "/steps/1", "from"}},
      {"JacobianOfAPattern",
       [](json& c) {
         c["steps"][1] = {{"kind", "jacobian"}, {"from", "fc*"}, {"to", "fc2"}};
       },
       {"no name of a tap", "/steps/1", "from", "'fc*'"}},
      {"JacobianOfOneTap",
       [](json& c) {
         c["steps"][1] = {{"kind", "jacobian"}, {"from", "fc1"}, {"to", "fc1"}};
       },
       {"needs two taps", "/steps/1", "fc1"}},
      {"JacobianBackwards",
       [](json& c) {
         c["steps"][1] = {{"kind", "jacobian"}, {"from", "fc2"}, {"to", "fc1"}};
       },
       {"no Jacobian between", "/steps/1", "the other order"}},
      {"MemoryBeyondAllBounds",
       [](json& c) { c["memory_mb"] = 8796093022208; },
       {"/memory_mb", "<= 1073741824"}},
      {"SameTapTwice",
       [](json& c) { c["steps"].push_back(c["steps"][1]); },
       {"'fc1' is rotated twice", "/steps/2"}},
      {"AxisThatIsNotThere",
       [](json& c) { set(c, "/steps/1/axis", "rows"); },
       {"/steps/1/axis", "'channels'"}},
      {"AxisAboveTheCeiling",
       [](json& c) {
         c["memory_mb"] = 1;
         set(c, "/steps/1/tap", "flatten");
       },
       {"'flatten'", "memory_mb", "d = 784"}},
      {"UnknownDevice",
       [](json& c) { c["device"] = "tpu"; },
       {"unknown device", "/device", "'tpu'"}},
      {"MissingModel",
       [](json& c) { set(c, "/model/path", "nowhere/net.pt"); },
       {"'nowhere/net.pt'", "/model/path", "nowhere"}},
      {"OutputOfATensor", [](json& c) { set(c, "/model/output", 1); }, {"/model/output", "Tensor"}},
      {"MissingImages",
       [](json& c) {
         c["data"] = {{"kind", "idx"}, {"images", "nowhere.gz"}, {"labels", "nowhere.gz"}};
       },
       {"'nowhere.gz'", "/data/images"}},
      {"DoubleModelOfData",
       [](json& c) { set(c, "/data/train/count", 0); },
       {"/data/train/count", "found 0"}},
  };
  return cases;
}

class BadConfigs : public CommandTest, public testing::WithParamInterface<BadConfig> {};

TEST_P(BadConfigs, GetOneLineAndExitCode2) {
  json config = small_config();
  GetParam().change(config);
  expect_refused(run_config(config), GetParam().parts);
  EXPECT_FALSE(fs::exists(at("out")));
}

std::string case_name(const testing::TestParamInfo<BadConfig>& bad) {
  return bad.param.name;
}

INSTANTIATE_TEST_SUITE_P(All, BadConfigs, testing::ValuesIn(bad_configs()), case_name);

class BadFiles : public CommandTest {
 protected:
  Outcome with_model(const fs::path& model) const {
    json config = small_config();
    config["model"]["path"] = model.string();
    return run_config(config);
  }
  Outcome with_data(const json& data) const {
    json config = small_config();
    config["data"] = data;
    return run_config(config);
  }
};

// Nothing has run when a step is refused, and what needs no model is refused by `check`, too.
TEST_F(BadFiles, StepsAreRefusedBeforeTheFirstRuns) {
  const auto chain = [](json taps) {
    return json{{"kind", "descramble"}, {"objective", {{"kind", "jacobian_l1"}, {"taps", taps}}}};
  };
  json misfit = chain({"fc1", "fc2"});
  misfit["solver"] = {{"kind", "generalized_power"}};
  json placed = chain({"fc1", "fc2"});
  placed["position"] = "before";
  json beside = chain({"fc1", "fc2"});
  beside["tap"] = "fc1";
  json learns = chain({"fc1", "fc2"});
  learns["objective"]["learn"] = json::array({"act1"});
  json nothing = chain({"fc1", "fc2"});
  nothing["objective"]["learn"] = json::array();
  int refused = 0;
  for (const auto& [step, part] :
       {std::pair{misfit, "generalized_power"},
        {placed, "position"},
        {beside, "named twice"},
        {learns, "not in the chain"},
        {nothing, "learn"},
        {chain(json::array({"fc1"})), "two or more"},
        {chain({"fc1", "fc1"}), "twice"},
        {chain({"act1", ""}), "/objective/taps/1"},
        {json{{"kind", "jacobian"}, {"from", "fc1"}, {"to", "fc1"}}, "two taps"}}) {
    json config = small_config();
    config["steps"][1] = step;
    write("config.json", config.dump());
    const Outcome checked = command({"check", at("config.json").string()});
    expect_refused(checked, {"config.json", "/steps/1", part});
    refused += checked.code == 2 ? 1 : 0;
  }
  EXPECT_EQ(refused, 9);
}

TEST_F(BadFiles, AssignmentsOutOfRange) {
  json config = small_config();
  write("config.json", config.dump());
  const Outcome outcome =
      command({"check", at("config.json").string(), "--set", "/steps/7/tap=fc1"});
  expect_refused(outcome, {"no such place", "/steps/7/tap", "index 7"});
  EXPECT_THAT(outcome.err, testing::Not(testing::HasSubstr("json.exception")));
}

TEST_F(BadFiles, ConfigThatIsMissing) {
  expect_refused(command({"run", at("none.json").string(), "--out", at("out").string()}),
                 {"none.json"});
}

TEST_F(BadFiles, ConfigThatIsNotJson) {
  write("bad.json", "{\"name\": \"x\",}");
  expect_refused(command({"check", at("bad.json").string()}),
                 {"not valid JSON", "bad.json", "line 1"});
}

TEST_F(BadFiles, ConfigWithADuplicateKey) {
  write("bad.json", R"({"name": "x", "data": {"kind": "glyphs", "count": 1, "count": 2}})");
  expect_refused(command({"check", at("bad.json").string()}),
                 {"duplicate key 'count'", "/data/count"});
}

TEST_F(BadFiles, ConfigWithNaN) {
  write("bad.json", R"({"name": "x", "seed": NaN})");
  expect_refused(command({"check", at("bad.json").string()}), {"not valid JSON"});
}

TEST_F(BadFiles, ModelThatIsNotAnArchive) {
  expect_refused(with_model(write("net.pt", "weights")), {"net.pt", "TorchScript archive"});
}

TEST_F(BadFiles, ModelThatIsTruncated) {
  const std::string whole = read(fixture("mlp.pt"));
  for (const double share : {0.1, 0.5, 0.9, 0.999}) {
    const auto length = static_cast<std::size_t>(share * static_cast<double>(whole.size()));
    expect_refused(with_model(write("net.pt", whole.substr(0, length))), {"net.pt", "truncated"});
  }
}

TEST_F(BadFiles, ModelThatIsACheckpoint) {
  expect_refused(with_model(fixture("state_dict.pt")), {"state_dict.pt", "torch.save"});
}

TEST_F(BadFiles, ModelThatNeedsAnotherOperator) {
  expect_refused(with_model(fixture("missing_op.pt")),
                 {"missing_op.pt", "operator", "descramble_fixture::missing"});
}

TEST_F(BadFiles, ModelWithoutForward) {
  expect_refused(with_model(fixture("no_forward.pt")), {"no_forward.pt", "'forward'"});
}

TEST_F(BadFiles, ModelThatTakesAnotherShape) {
  expect_refused(with_model(fixture("mlp.pt")), {"does not take this input", "8x1x28x28 float32"});
}

TEST_F(BadFiles, ModelWhoseTupleNeedsAnOutput) {
  json config = small_config();
  config["model"]["path"] = fixture("tuple_output.pt").string();
  config["data"] = vector_data();
  expect_refused(run_config(config), {"/model/output", "Tuple"});
}

TEST_F(BadFiles, TapThatDoesNotFire) {
  json config = small_config();
  config["model"]["path"] = fixture("if_branch.pt").string();
  json data = vector_data();
  data["mean"] = json::array({2});  // the sum is negative: the second branch
  config["data"] = data;
  const Outcome listed = command({"taps", fixture("if_branch.pt").string(), "--json"});
  const json taps = json::parse(listed.out)["taps"];
  bool one_did_not_fire = false;
  for (const json& tap : taps) {
    if (tap["kind"] != "module") continue;
    config["steps"] = json::array({{{"kind", "capture"}, {"taps", tap["name"]}}});
    const Outcome outcome = run_config(config, {"--force"});
    if (outcome.code == 0) continue;
    expect_refused(outcome, {"did not fire", tap["name"]});
    one_did_not_fire = true;
  }
  EXPECT_TRUE(one_did_not_fire);
}

TEST_F(BadFiles, LabelsThatTheModelDoesNotKnow) {
  json data = vector_data();
  write("labels", idx({12}, std::string(12, '\x63')));
  json config = small_config();
  config["model"]["path"] = fixture("mlp.pt").string();
  config["data"] = data;
  expect_refused(run_config(config), {"label", "found 99"});
}

TEST_F(BadFiles, ImagesAndLabelsOfDifferentLength) {
  json data = vector_data(12);
  write("labels", idx({11}, std::string(11, '\0')));
  expect_refused(with_data(data), {"labels", "12", "11"});
}

TEST_F(BadFiles, EmptyDataSet) {
  json data = vector_data(12);
  write("vectors", idx({0, 8}, ""));
  write("labels", idx({0}, ""));
  expect_refused(with_data(data), {"vectors", "at least one"});
}

TEST_F(BadFiles, DamagedGzip) {
  write("broken.gz", std::string("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03 nonsense", 19));
  expect_refused(with_data({{"kind", "idx"},
                            {"images", at("broken.gz").string()},
                            {"labels", at("broken.gz").string()}}),
                 {"broken.gz"});
}

TEST_F(BadFiles, BrokenImage) {
  fs::create_directories(at("pictures/a"));
  write("pictures/a/1.jpg", "not a picture");
  expect_refused(with_data({{"kind", "images"}, {"path", at("pictures").string()}}), {"1.jpg"});
}

TEST_F(BadFiles, TargetsWhereClassesAreNeeded) {
  save_safetensors(at("pairs"), {{"x", at::rand({12, 8})}, {"y", at::rand({12, 3})}});
  json config = small_config();
  config["model"]["path"] = fixture("mlp.pt").string();
  config["data"] = {
      {"kind", "safetensors"}, {"path", at("pairs").string()}, {"inputs", "x"}, {"labels", "y"}};
  config["steps"] = json::array({{{"kind", "evaluate"}}});
  expect_refused(run_config(config), {"labels", "output's shape", "12x5", "12x3 float32"});
  config.erase("steps");
  config["train"] = {{"epochs", 1}};
  write("config.json", config.dump());
  expect_refused(command({"train", at("config.json").string(), "--out", at("out").string()}),
                 {"/data", "classes", "targets"});
}

TEST_F(BadFiles, ModelThatAnotherConfigTrains) {
  fs::create_directories(at("configs"));
  write("configs/tiny_train.json", "{}");
  json config = small_config();
  config["model"]["path"] = "../runs/tiny/model.pt";
  write("configs/use.json", config.dump());
  expect_refused(command({"run", at("configs/use.json").string(), "--out", at("out").string()}),
                 {"descramble train", "tiny_train.json", "runs/tiny"});
}

using BadFolders = CommandTest;

TEST_F(BadFolders, ExistingResultNeedsForce) {
  ASSERT_EQ(run_config(small_config()).code, 0);
  const std::string before = read(at("out/result.json"));
  expect_refused(run_config(small_config()), {"exists already", "--force"});
  EXPECT_EQ(read(at("out/result.json")), before);
  json changed = small_config();
  changed["seed"] = 2;
  EXPECT_EQ(run_config(changed, {"--force"}).code, 0);
  EXPECT_NE(read(at("out/result.json")), before);
  expect_no_leftovers();
}

TEST_F(BadFolders, FailureWithForceLeavesTheOldResult) {
  ASSERT_EQ(run_config(small_config()).code, 0);
  const std::string before = read(at("out/result.json"));
  json broken = small_config();
  broken["steps"][1]["tap"] = "fc9";
  expect_refused(run_config(broken, {"--force"}), {"fc9"});
  EXPECT_EQ(read(at("out/result.json")), before);
}

TEST_F(BadFolders, ForceSparesAFolderThatIsNotOurs) {
  fs::create_directories(at("out"));
  write("out/thesis.txt", "all my work");
  expect_refused(run_config(small_config(), {"--force"}), {"--force", "out"});
  EXPECT_EQ(read(at("out/thesis.txt")), "all my work");
  write("out/result.json", "{\"accuracy\": 1}");
  expect_refused(run_config(small_config(), {"--force"}), {"--force", "out"});
  EXPECT_EQ(read(at("out/thesis.txt")), "all my work");
}

TEST_F(BadFolders, FileInPlaceOfTheFolder) {
  write("out", "a file");
  expect_refused(run_config(small_config(), {"--force"}), {"out"});
  EXPECT_EQ(read(at("out")), "a file");
  fs::remove(at("out"));
  write("parent", "a file");
  expect_refused(command({"run", at("config.json").string(), "--out", at("parent/out").string()}),
                 {"parent"});
}

using BadArguments = CommandTest;

TEST_F(BadArguments, GetOneLineAndExitCode2) {
  const std::vector<std::vector<std::string>> calls = {
      {},
      {"explain"},
      {"run"},
      {"run", "config.json"},
      {"run", "config.json", "--out"},
      {"run", "config.json", "--out", "x", "--fast"},
      {"taps"},
      {"verify"},
      {"verify", at("").string()},
      {"verify", at("none").string()},
      {"data", "pictures", "--out", at("d").string()},
      {"data", "glyphs", "--out", at("d").string(), "--train", "0"},
      {"kinds", "smothness"},
      {"taps", fixture("mlp.pt").string(), "--input", "4,eight"},
      {"taps", fixture("mlp.pt").string(), "--input", "4,8:float31"},
      {"taps", fixture("mlp.pt").string(), "--input", "4,9"},
      {"taps", fixture("mlp.pt").string(), "--input", "4,8", "--input", "4,8"},
      {"taps", fixture("mlp.pt").string(), "--input", "image=4,8"}};
  for (const auto& call : calls) {
    SCOPED_TRACE(testing::PrintToString(call));
    expect_refused(command(call), {});
  }
}

TEST_F(BadArguments, SetNeedsAPointerThatExists) {
  write("config.json", small_config().dump());
  for (const char* assignment :
       {"seed=2", "/seed", "/nowhere/deep=1", "/steps/9/tap=fc1", "/name/x=1"}) {
    expect_refused(command({"check", at("config.json").string(), "--set", assignment}), {"--set"});
  }
}

}  // namespace

}  // namespace descramble::test
