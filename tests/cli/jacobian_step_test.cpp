// The step `jacobian`: its numbers against the stack that it keeps, and what it says where some of
// them do not exist.

#include <ATen/ATen.h>
#include <torch/csrc/jit/api/module.h>

#include "cli/command.h"
#include "descramble/core/random.h"
#include "descramble/core/safetensors.h"
#include "descramble/jacobian/layer_jacobian.h"
#include "descramble/model/model.h"

namespace descramble::test {

namespace {

class JacobianStep : public CommandTest {
 protected:
  /// y = tanh(x) + 2, `body` from y to z, and the output tanh(z).
  fs::path model_of(const std::string& body) const {
    torch::jit::Module module("between");
    module.register_parameter("w", random_stream(3, "test/w").normal_tensor({8, 8}).to(at::kFloat),
                              false);
    module.register_attribute("training", c10::BoolType::get(), false);
    module.define("def forward(self, x):\n  y = torch.tanh(x)\n" + body +
                  "\n  return torch.sin(z)\n");
    module.save(at("model.pt").string());
    return at("model.pt");
  }

  json config_of(const fs::path& model, const ::at::Tensor& x, json step) const {
    save_safetensors(at("x.safetensors"), {{"x", x}});
    step["kind"] = "jacobian";
    return {{"name", "jacobian"},
            {"threads", 1},
            {"model", {{"kind", "torchscript"}, {"path", model.string()}}},
            {"data",
             {{"kind", "safetensors"},
              {"path", at("x.safetensors").string()},
              {"inputs", json::array({"x"})}}},
            {"steps", json::array({step})}};
  }

  static ::at::Tensor some_inputs(std::int64_t samples = 12) {
    return random_stream(5, "test/x").normal_tensor({samples, 8}).to(::at::kFloat);
  }

  json run_step(const std::string& body, const ::at::Tensor& x, const json& step) {
    const Outcome outcome = run_config(config_of(model_of(body), x, step), {"--force"});
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    if (outcome.code != 0) return json();
    said_ = outcome.out;
    tensors_ = load_safetensors(at("out/tensors.safetensors"));
    return json::parse(read(at("out/result.json")))["steps"][0];
  }

  std::string said_{};
  NamedTensors tensors_{};
};

double apart(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

TEST_F(JacobianStep, NumbersAreThoseOfTheStack) {
  for (const double scale : {1.0, 1e-12, 1e12}) {
    SCOPED_TRACE(scale);
    const std::string body = "  z = " + std::to_string(scale) + " * torch.relu(y.matmul(self.w))";
    const std::string exact = scale < 1 ? "  z = 1e-12 * torch.relu(y.matmul(self.w))" : body;
    const json step =
        run_step(exact, some_inputs(), {{"from", "tanh"}, {"to", "mul"}, {"keep", true}});
    ASSERT_FALSE(step.is_null());
    const at::Tensor stack = tensors_.at("steps.0.tanh..mul.stack").to(at::kDouble);
    ASSERT_EQ(stack.sizes(), (std::vector<std::int64_t>{12, 8, 8}));
    const double size = stack.abs().max().item<double>();
    EXPECT_GT(size, 0);
    EXPECT_LE(apart(tensors_.at("steps.0.tanh..mul.mean"), stack.mean(0)), 1e-12 * size);
    const at::Tensor spread = (stack - stack.mean(0)).square().mean(0).sqrt();
    EXPECT_GT(spread.max().item<double>(), 0.1 * size);
    EXPECT_LE(apart(tensors_.at("steps.0.tanh..mul.spread"), spread), 1e-9 * size);
    const double l1 = stack.abs().sum().item<double>() / 12;
    const double frobenius = std::sqrt(stack.square().sum().item<double>() / 12);
    EXPECT_NEAR(step["l1"].get<double>() / l1, 1, 1e-12);
    EXPECT_NEAR(step["frobenius"].get<double>() / frobenius, 1, 1e-12);
    EXPECT_NEAR(step["sparsity"].get<double>(), l1 / (8 * frobenius), 1e-12);
    EXPECT_EQ(step["samples"], 12);
    EXPECT_EQ(step["singular_values"].size(), 8U);
    EXPECT_TRUE(step["warnings"].empty());
    EXPECT_TRUE(step["constants"].empty());
  }
}

TEST_F(JacobianStep, SpreadOfBlocksIsTheirStandardDeviation) {
  json config = small_config();
  config["dtype"] = "float64";
  config["model"] = {
      {"kind", "sequential"},
      {"input", {1, 28, 28}},
      {"layers",
       {{{"kind", "conv2d"}, {"name", "a"}, {"out", 3}, {"kernel", 5}, {"stride", 4}},
        {{"kind", "tanh"}, {"name", "t"}},
        {{"kind", "conv2d"}, {"name", "b"}, {"out", 4}, {"kernel", 3}, {"stride", 2}},
        {{"kind", "flatten"}, {"name", "flatten"}},
        {{"kind", "linear"}, {"name", "fc"}, {"out", 10}}}}};
  config["steps"] = json::array(
      {{{"kind", "jacobian"}, {"from", "a"}, {"to", "b"}, {"samples", 9}, {"positions", 2}}});
  ASSERT_EQ(run_config(config).code, 0);
  const json step = json::parse(read(at("out/result.json")))["steps"][0];
  const NamedTensors found = load_safetensors(at("out/tensors.safetensors"));
  EXPECT_EQ(step["sampled_positions"].size(), 2U);
  EXPECT_TRUE(step["singular_values"].is_null());
  // The mean of squares is that of the mean and of the spread together.
  const at::Tensor mean = found.at("steps.0.a..b.mean");
  const at::Tensor spread = found.at("steps.0.a..b.spread");
  const double blocks = step["blocks"];
  const double squares = blocks * (mean.square() + spread.square()).sum().item<double>();
  EXPECT_NEAR(std::sqrt(squares) / step["frobenius"].get<double>(), 1, 1e-10);
}

TEST_F(JacobianStep, NamesWhatItTakesAsConstant) {
  const json step =
      run_step("  z = y * (y > 0).float()", some_inputs(), {{"from", "tanh"}, {"to", "sin"}});
  EXPECT_EQ(step["constants"], json::array({"aten::gt"}));
  EXPECT_THAT(said_, testing::HasSubstr("taken as constant: aten::gt"));
}

TEST_F(JacobianStep, HasNoSingularValuesWhereTheMeanInputHasNoJacobian) {
  // |x| is the same for all samples, and the mean of x is 0.
  at::Tensor x = some_inputs();
  x = at::cat({x, -x});
  const json step = run_step("  z = 1 / y", x, {{"from", "tanh"}, {"to", "sin"}});
  ASSERT_FALSE(step.is_null());
  EXPECT_TRUE(step["singular_values"].is_null());
  ASSERT_EQ(step["warnings"].size(), 1U);
  EXPECT_THAT(step["warnings"][0].get<std::string>(), testing::HasSubstr("mean input"));
  EXPECT_THAT(said_, testing::HasSubstr("warning: no singular values"));
}

TEST_F(JacobianStep, TakesNetworksThatSqueezeABatchOfOne) {
  const json step = run_step("  z = y.matmul(self.w).squeeze(0)", some_inputs(),
                             {{"from", "tanh"}, {"to", "sin"}});
  ASSERT_FALSE(step.is_null());
  EXPECT_EQ(step["singular_values"].size(), 8U);
}

TEST_F(JacobianStep, SaysThatAllIsZero) {
  const json step =
      run_step("  z = torch.relu(-y.abs() - 1)", some_inputs(), {{"from", "tanh"}, {"to", "sin"}});
  ASSERT_FALSE(step.is_null());
  EXPECT_EQ(step["l1"], 0);
  EXPECT_THAT(said_, testing::HasSubstr("all Jacobians are zero"));
}

TEST_F(JacobianStep, KeepsWhatCanBeAttributedAlone) {
  json step = {{"from", "tanh"}, {"to", "sin"}, {"keep", true}, {"axis", "features"}};
  const at::Tensor tokens = random_stream(5, "test/x").normal_tensor({12, 3, 8}).to(at::kFloat);
  // Positions on both sides, and on the input side alone.
  expect_refused(run_config(config_of(model_of("  z = y.matmul(self.w)"), tokens, step)),
                 {"cannot be kept", "keep", "blocks by position"});
  expect_refused(run_config(config_of(model_of("  z = y.mean(1)"), tokens, step)),
                 {"cannot be kept", "keep", "blocks by position"});
  json config = config_of(model_of("  z = y.matmul(self.w)"), some_inputs(9000), step);
  config["memory_mb"] = 3;
  config["steps"][0]["samples"] = 9000;
  expect_refused(run_config(config), {"cannot be kept", "memory_mb above 6", "found 3"});
  config["memory_mb"] = 7;
  EXPECT_EQ(run_config(config).code, 0);
}

TEST_F(JacobianStep, RefusesWhatHasNoJacobianOfOneSample) {
  for (const auto& [body, part] :
       {std::pair{"  z = y + torch.cos(y).detach()", "aten::detach"},
        {"  z = y - y.mean(0, True)", "mixed"},
        {"  z = torch.dropout(y, 0.5, True)", "random numbers"},
        {"  z = torch.sigmoid(y)\n  z[:, 0] = z[:, 1] * z[:, 2]", "autograd cannot follow"}}) {
    for (const json& step :
         {json{{"kind", "jacobian"}, {"from", "tanh"}, {"to", "sin"}},
          json{{"kind", "descramble"},
               {"objective", {{"kind", "jacobian_l1"}, {"taps", {"tanh", "sin"}}}}}}) {
      json config = config_of(model_of(body), some_inputs(), {});
      config["steps"][0] = step;
      expect_refused(run_config(config), {"/steps/0", part});
    }
  }
}

}  // namespace

}  // namespace descramble::test
