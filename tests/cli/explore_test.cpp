// The step explore from the command: drawn digits, signals, tokens with words.

#include <ATen/ops/empty.h>

#include "cli/command.h"
#include "descramble/core/random.h"
#include "descramble/core/safetensors.h"

namespace descramble::test {

namespace {

using ::testing::HasSubstr;

class ExploreStep : public CommandTest {
 protected:
  json config(const json& model, const json& data, const json& step) const {
    json own = {{"kind", "explore"}};
    own.update(step);
    return {
        {"name", "explore"}, {"threads", 1}, {"model", model}, {"data", data}, {"steps", {own}}};
  }
  json glyphs(const json& step) const {
    return config({{"kind", "torchscript"}, {"path", source("models/glyph_mlp.pt").string()}},
                  {{"kind", "glyphs"}, {"count", 60}}, step);
  }
  json result() const { return json::parse(read(at("out/result.json"))); }
};

TEST_F(ExploreStep, ShowsDrawnDigits) {
  const Outcome outcome = run_config(glyphs({{"taps", {"fc1", "fc3"}}, {"directions", 2}}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, HasSubstr("fc1 (features, d = 64): a position sees 28x28 of 28x28"));
  const json step = result()["steps"][0];
  EXPECT_TRUE(step["images"]);
  EXPECT_EQ(step["taps"][1]["bases"][0]["directions"][1]["points"].size(), 7U);
  const json& point = step["taps"][0]["bases"][1]["directions"][0]["points"][6];
  EXPECT_EQ(point["neighbours"].size(), 6U);
  EXPECT_EQ(point["neighbours"][0]["box"], json::parse("[[0, 28], [0, 28]]"));
  const NamedTensors tensors = load_safetensors(at("out/tensors.safetensors"));
  EXPECT_EQ(tensors.at("steps.0.fc1.pca.shown").sizes(),
            (std::vector<std::int64_t>{2, 7, 6, 1, 28, 28}));
  EXPECT_THAT(read(at("out/steps.0.fc1.pca.svg")), HasSubstr("data:image/png;base64,"));
  const std::string table = read(at("out/explore.csv"));
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 1 + 2 * 2 * 2 * 7 * 6);
  // Same config, same bytes.
  const std::string before = read(at("out/result.json"));
  ASSERT_EQ(run_config(glyphs({{"taps", {"fc1", "fc3"}}, {"directions", 2}}), {"--force"}).code, 0);
  EXPECT_EQ(read(at("out/result.json")), before);
}

TEST_F(ExploreStep, ShowsSignalsAndTokens) {
  const json linear = {{"kind", "sequential"},
                       {"input", {32}},
                       {"layers", {{{"kind", "linear"}, {"name", "fc1"}, {"out", 8}}}}};
  Outcome outcome =
      run_config(config(linear, {{"kind", "linear"}, {"count", 40}}, {{"taps", "fc1"}}));
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(read(at("out/steps.0.fc1.pca.svg")), HasSubstr("<polyline"));

  NamedTensors tokens;
  RandomStream random = random_stream(1, "tokens");
  std::vector<std::int64_t> ids;
  for (int i = 0; i < 12 * 5; ++i) ids.push_back(random.below(7));
  tokens["inputs"] = ::at::empty({12, 5}, ::at::kLong);
  std::copy(ids.begin(), ids.end(), tokens["inputs"].data_ptr<std::int64_t>());
  save_safetensors(at("tokens.safetensors"), tokens);
  write(at("words.txt"), "a<b\none\ntwo\nthree\nfour\nfive\nsix\n");
  const json text = config(
      {{"kind", "torchscript"}, {"path", fixture("embedding.pt").string()}},
      {{"kind", "safetensors"}, {"path", at("tokens.safetensors").string()}, {"inputs", "inputs"}},
      {{"taps", "embedding"}, {"directions", 1}, {"vocabulary", at("words.txt").string()}});
  outcome = run_config(text, {"--force"});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const std::string svg = read(at("out/steps.0.embedding.pca.svg"));
  EXPECT_THAT(svg, HasSubstr("[three]"));
  EXPECT_THAT(svg, HasSubstr("a&lt;b"));
}

TEST_F(ExploreStep, RefusesWhatCannotBe) {
  const auto refused = [&](const json& step, const std::string& what) {
    const Outcome outcome = run_config(glyphs(step));
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr(what));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_FALSE(fs::exists(at("out")));
  };
  refused({{"taps", "fc3"}, {"directions", 11}}, "a basis with fewer directions");
  refused({{"taps", "fc3"}, {"components", {0, 10}}}, "components/1");
  refused({{"taps", "fc3"}, {"vocabulary", "nowhere.txt"}}, "nowhere.txt");
  refused({{"taps", "fc9"}}, "fc9");
  refused({{"taps", "fc3"}, {"points", 0}}, "/steps/0/points");
  refused({{"taps", "fc3"}, {"nearest", "space-time"}}, "/steps/0/nearest");
}

}  // namespace

}  // namespace descramble::test
