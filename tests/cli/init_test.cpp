// What `descramble init` guesses, and what it refuses.

#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tensor.h>
#include <torch/csrc/jit/api/module.h>

#include "cli/command.h"
#include "descramble/core/safetensors.h"

namespace descramble::test {
namespace {

using ::testing::HasSubstr;

class Init : public CommandTest {
 protected:
  Outcome init(std::vector<std::string> args) const {
    args.insert(args.begin(), "init");
    return command(args);
  }
  static std::string mlp() { return fixture("mlp.pt").string(); }
  static std::string glyph_mlp() { return source("models/glyph_mlp.pt").string(); }
};

TEST_F(Init, ReadsIdxFoldersAsTrainAndTest) {
  ASSERT_EQ(command({"data", "glyphs", "--out", at("glyphs").string(), "--train", "60", "--test",
                     "40", "--quiet"})
                .code,
            0);
  const Outcome outcome = init({glyph_mlp(), "--data", at("glyphs").string()});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const json config = json::parse(outcome.out);
  EXPECT_THAT(config["data"]["train"]["labels"].get<std::string>(), HasSubstr("train-labels"));
  EXPECT_THAT(config["data"]["test"]["images"].get<std::string>(), HasSubstr("t10k-images"));
  EXPECT_EQ(config["steps"][0]["kind"], "evaluate");
  const Outcome ran = run_config(config);
  EXPECT_EQ(ran.code, 0) << ran.err;
}

TEST_F(Init, ReadsLabelsAndNamesInputs) {
  save_safetensors(at("data.safetensors"),
                   {{"x", at::randn({40, 8})}, {"class", at::randint(0, 5, {40}).to(at::kLong)}});
  const Outcome outcome = init({mlp(), "--data", at("data.safetensors").string()});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  const json data = json::parse(outcome.out)["data"];
  EXPECT_EQ(data["inputs"], json::array({"x"}));
  EXPECT_EQ(data["labels"], "class");
}

TEST_F(Init, FindsTheLogitsOfADictionary) {
  torch::jit::Module net("Net");
  net.register_parameter("w", at::randn({8, 3}), /*is_buffer=*/false);
  net.define(
      "def forward(self, x):\n"
      "  y = torch.matmul(x, self.w)\n  return {\"scores\": y}\n");
  net.save(at("net.pt").string());
  save_safetensors(at("data.safetensors"), {{"x", at::randn({40, 8})}});
  for (const std::vector<std::string>& more :
       {std::vector<std::string>{"--data", at("data.safetensors").string()}, {"--input", "2,8"}}) {
    std::vector<std::string> args = {at("net.pt").string()};
    args.insert(args.end(), more.begin(), more.end());
    const Outcome outcome = init(args);
    ASSERT_EQ(outcome.code, 0) << outcome.err;
    EXPECT_EQ(json::parse(outcome.out)["model"]["output"], "scores");
    EXPECT_THAT(outcome.err, HasSubstr("\"scores\" is taken for the logits"));
  }
}

TEST_F(Init, SaysWhichStepsTheNetworkDoesNotAllow) {
  // Thirty classes for five logits.
  save_safetensors(
      at("data.safetensors"),
      {{"x", at::randn({40, 8})}, {"class", at::tensor(std::vector<std::int64_t>(40, 29))}});
  const Outcome outcome = init({mlp(), "--data", at("data.safetensors").string()});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.err,
              HasSubstr("note: the step 'evaluate' is left out: a label is not among"));
  for (const json& steps = json::parse(outcome.out)["steps"]; const json& step : steps)
    EXPECT_NE(step["kind"], "evaluate");
}

TEST_F(Init, RefusesInOneLine) {
  fs::create_directory(at("empty"));
  write("text.csv", "a,b\n1,2\n");
  write("data.safetensors", "no tensors");
  write("train-images-idx3-ubyte", "no images");
  write("model.pt", "no model");
  save_safetensors(at("scalar.safetensors"), {{"s", at::scalar_tensor(1)}});
  const auto refused = [&](const std::vector<std::string>& args,
                           const std::vector<std::string>& parts) {
    const Outcome outcome = init(args);
    expect_refused(outcome, parts);
    EXPECT_EQ(outcome.out, "");
  };
  const auto data = [&](const std::string& name) {
    return std::vector<std::string>{mlp(), "--data", at(name).string()};
  };
  refused(data("nothing"), {"no data", "found nothing"});
  refused(data("empty"), {"data of no known kind", "a folder of images"});
  refused(data("model.pt"), {"data of no known kind"});
  refused(data("text.csv"), {"wrong number of columns"});
  refused(data("data.safetensors"), {"data.safetensors"});
  refused(data("scalar.safetensors"), {"no tensors with samples", "'s'"});
  refused(data("train-images-idx3-ubyte"), {"not an IDX file"});
  refused({at("model.pt").string()}, {"cannot load a model"});
  refused({mlp(), "--input", "foo,,"}, {"bad input", "foo"});
  refused({mlp(), "--method", "encode"}, {"encode"});
  refused({fixture("many_arguments.pt").string()},
          {"an argument needs a value", "'rate'", "--input rate=VALUE (int)"});
}

}  // namespace
}  // namespace descramble::test
