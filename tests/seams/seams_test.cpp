// A new kind is one file and one line: the kinds beside this file are in no other file of the
// project, and the whole command knows them.

#include "cli/command.h"
#include "experiment/config.h"

namespace descramble::test {

namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

struct NewKind {
  std::string family;
  std::string name;
};

const std::vector<NewKind> new_kinds = {{"objective", "first_entry"}, {"solver", "reversal"},
                                        {"basis", "first_rows"},      {"data", "waves"},
                                        {"step", "reverse"},          {"layer", "cube"},
                                        {"reading", "largest_entry"}, {"matrix", "unit_matrix"}};

class Seams : public CommandTest {
 protected:
  static json built() {
    return {{"kind", "sequential"},
            {"input", {8}},
            {"layers",
             {{{"kind", "linear"}, {"out", 6}, {"name", "fc1"}},
              {{"kind", "tanh"}, {"name", "act1"}},
              {{"kind", "linear"}, {"out", 5}, {"name", "fc2"}},
              {{"kind", "relu"}, {"name", "act2"}},
              {{"kind", "cube"}, {"name", "cube"}},
              {{"kind", "linear"}, {"out", 3}, {"name", "fc3"}}}}};
  }
  static json archived() { return {{"kind", "torchscript"}, {"path", fixture("mlp.pt").string()}}; }

  static json completeness(const json& bases) {
    return {{"kind", "completeness"},
            {"taps", "fc1"},
            {"bases", bases},
            {"grid", {{"kind", "linear"}, {"points", 4}}}};
  }
  /// All of the new kinds in one run, the rotation of the new step among the bases.
  static json config(const json& model) {
    const json bases = {
        {{"kind", "first_rows"}, {"count", 2}}, {{"kind", "step"}, {"step", 0}}, {{"kind", "pca"}}};
    return {{"name", "seams"},
            {"threads", 1},
            {"model", model},
            {"data",
             {{"train", {{"kind", "waves"}, {"batch_size", 16}}},
              {"test", {{"kind", "waves"}, {"count", 30}}}}},
            {"steps",
             {{{"kind", "reverse"}, {"tap", "fc1"}},
              {{"kind", "descramble"},
               {"tap", "act2"},
               {"objective", {{"kind", "first_entry"}}},
               {"solver", {{"kind", "reversal"}}}},
              completeness(bases),
              {{"kind", "read"},
               {"matrix", {{"kind", "weight"}, {"layer", "fc1"}, {"left", 0}}},
               {"controls", "raw"},
               {"readings", {{{"kind", "largest_entry"}}}}},
              {{"kind", "read"},
               {"matrix", {{"kind", "unit_matrix"}}},
               {"readings", {{{"kind", "largest_entry"}}}}}}}};
  }

  json result_of(const json& model) const {
    const Outcome outcome = run_config(config(model));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_THAT(outcome.out, HasSubstr("fc1 reversed"));
    return outcome.code == 0 ? json::parse(read(at("out/result.json"))) : json();
  }
};

TEST_F(Seams, NewKindsRunTogether) {
  const json result = result_of(built());
  ASSERT_FALSE(result.is_null());
  const json& steps = result["steps"];
  EXPECT_LE(steps[0]["certificate"]["exported"], steps[0]["certificate"]["allowed"]);
  EXPECT_FALSE(steps[0]["folded"].empty());
  EXPECT_EQ(steps[1]["objective"]["kind"], "first_entry");
  EXPECT_LE(steps[1]["objective"]["after"], steps[1]["objective"]["before"]);
  EXPECT_EQ(steps[1]["taps"][0]["solver"]["kind"], "reversal");
  const json& reading = steps[3]["readings"][0];
  EXPECT_EQ(reading["answers"][0]["value"], reading["controls"]["raw"][0]["value"])
      << "the order reversed has the same entries";
  EXPECT_EQ(steps[4]["readings"][0]["answers"][0]["value"], 1);
  const json& bases = steps[2]["taps"][0]["bases"];
  EXPECT_EQ(bases[0]["label"], "first rows");
  EXPECT_EQ(bases[0]["directions"], 2);
  EXPECT_EQ(bases[1]["label"], "step 0");
  EXPECT_EQ(bases[1]["directions"], 6);
}

TEST_F(Seams, ResultsOfNewKindsVerify) {
  for (const json& model : {built(), archived()}) {
    ASSERT_FALSE(result_of(model).is_null());
    const Outcome verified = command({"verify", at("out").string()});
    EXPECT_EQ(verified.code, 0) << verified.err;
    EXPECT_THAT(verified.out, HasSubstr("ok      steps.0.fc1.rotation"));
    EXPECT_THAT(verified.out, HasSubstr("ok      steps.0.fc1.weight_descrambled"));
    EXPECT_THAT(verified.out, HasSubstr("ok      model.pt on the check inputs"));
    const bool at_hand = model["kind"] == "torchscript";
    const auto inserted = HasSubstr("ok      pair inserted into the original at 'fc1'");
    EXPECT_EQ(::testing::Value(verified.out, inserted), at_hand) << verified.out;
    fs::remove_all(at("out"));
  }
}

TEST_F(Seams, NewKindsAreListedAndInTheSchema) {
  const std::string schema = command({"kinds", "--schema"}).out;
  for (const NewKind& kind : new_kinds) {
    const KindFamily* of_it = nullptr;
    for (const KindFamily* family : all_families()) {
      if (family->title == kind.family) of_it = family;
    }
    ASSERT_NE(of_it, nullptr);
    EXPECT_THAT(of_it->names(), Contains(kind.name));
    EXPECT_GT(of_it->names().size(), 1u) << "the project's own kinds are there, too";
    EXPECT_THAT(command({"kinds"}).out, HasSubstr("    " + kind.name + " "));
    EXPECT_THAT(command({"kinds", kind.name}).out, HasSubstr(kind.family + " '" + kind.name + "'"));
    EXPECT_THAT(schema, HasSubstr('"' + kind.name + '"'));
  }
}

TEST_F(Seams, NewKindsAreKnownToErrors) {
  for (const auto& [place, name] : {std::pair{"/data/train", "waves"},
                                    {"/steps/0", "reverse"},
                                    {"/steps/1/objective", "first_entry"},
                                    {"/steps/1/solver", "reversal"},
                                    {"/steps/2/bases/0", "first_rows"},
                                    {"/model/layers/4", "cube"}}) {
    json wrong = config(built());
    wrong[json::json_pointer(place)] = {{"kind", "nonsense"}};
    expect_refused(run_config(wrong), {place, std::string("'") + name + "'"});
  }
  json twice = config(built());
  twice["steps"][1]["tap"] = "fc1";
  expect_refused(run_config(twice), {"rotated twice", "/steps/0"});
  json nothing = config(built());
  nothing["steps"][0] = {{"kind", "evaluate"}};
  expect_refused(run_config(nothing), {"rotates nothing", "'descramble', 'reverse'"});
}

TEST_F(Seams, AStepThatRotatesCertifiesIt) {
  json config = Seams::config(built());
  config["steps"] = {{{"kind", "uncertified"}, {"tap", "fc1"}}};
  expect_refused(run_config(config),
                 {"/steps/0", "without its certificate", "tap 'fc1'", "'fc1.rotation'"});
}

// The share that three rows explain is that of the first three, whatever the batch size.
TEST_F(Seams, ABasisSeesTheValuesThemselves) {
  json all = config(built());
  all["steps"] = json::array({completeness({{{"kind", "first_rows"}, {"count", 3}}})});
  json three = all;
  three["data"]["train"]["limit"] = 3;
  json one_by_one = all;
  one_by_one["data"]["train"]["batch_size"] = 1;
  const auto explained = [&](const json& config) {
    const Outcome outcome = run_config(config, {"--force"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    const json result = json::parse(read(at("out/result.json")));
    return result["steps"][0]["taps"][0]["bases"][0]["explained"].get<double>();
  };
  EXPECT_NEAR(explained(three), 1, 1e-6) << "they span all that there is";
  EXPECT_LT(explained(all), 1 - 1e-3);
  EXPECT_NEAR(explained(one_by_one), explained(all), 1e-6);
}

}  // namespace

}  // namespace descramble::test
