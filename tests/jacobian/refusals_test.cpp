// Networks whose derivative is not what autograd returns, or is none of one sample alone.

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <torch/csrc/jit/api/module.h>

#include "descramble/jacobian/jacobian_stack.h"
#include "descramble/jacobian/layer_jacobian.h"
#include "descramble/taps/tapped_model.h"
#include "model/fixtures.h"

namespace descramble::test {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// y = tanh(x), `body` from y to z, tanh(z).
Model model_of(const std::string& body, at::ScalarType dtype = at::kDouble) {
  torch::jit::Module module("between");
  module.register_parameter("w", random_stream(3, "test/w").normal_tensor({6, 6}).to(dtype), true);
  module.register_attribute("training", c10::BoolType::get(), false);
  module.define("def forward(self, x):\n  y = torch.tanh(x)\n" + body +
                "\n  return torch.tanh(z)\n");
  const TemporaryFolder folder;
  const std::string file = (folder / "model.pt").string();
  module.save(file);
  return load_model(file);
}

at::Tensor inputs_of(std::int64_t samples = 5, at::ScalarType dtype = at::kDouble) {
  return random_stream(8, "test/inputs").normal_tensor({samples, 6}).to(dtype);
}

std::string refused(const Model& model, const at::Tensor& inputs, const std::string& from,
                    const std::string& to) {
  try {
    LayerJacobian(model, from, to, {inputs});
  } catch (const Error& error) {
    return error.what();
  }
  return "nothing";
}

struct Program {
  std::string name{};
  std::string body{};
  std::string named{};  ///< the operator that the refusal names, or that is taken as constant
};

void PrintTo(const Program& one, std::ostream* out) {
  *out << one.name;
}
std::string name_of(const ::testing::TestParamInfo<Program>& info) {
  return info.param.name;
}

class Cut : public ::testing::TestWithParam<Program> {};

TEST_P(Cut, BranchesAreRefusedByName) {
  const Program& what = GetParam();
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble}) {
    const Model model = model_of(what.body, dtype);
    EXPECT_THAT(refused(model, inputs_of(5, dtype), "tanh", "output"),
                AllOf(HasSubstr("a branch from tap"), HasSubstr(what.named)));
  }
}

INSTANTIATE_TEST_SUITE_P(
    , Cut,
    ::testing::Values(
        Program{"detached", "  z = y + torch.sin(y).detach()", "aten::detach"},
        Program{"behind_a_layer", "  z = y + torch.sin(y).detach().matmul(self.w)", "aten::detach"},
        Program{"data", "  z = y + torch.sin(y).data", "prim::data"},
        Program{"rounded", "  z = y + torch.sin(y).round()", "aten::round"},
        Program{"floored", "  z = y + torch.floor(3 * y)", "aten::floor"},
        Program{"sign", "  z = y + torch.sign(y)", "aten::sign"},
        Program{"number", "  z = y * float(y.abs().max())", "aten::item"},
        Program{"quantised",
                "  z = y + torch.quantize_per_tensor(y.float(), 0.1, 0, 13).dequantize()",
                "aten::quantize_per_tensor"},
        Program{"written",
                "  t = torch.zeros_like(y)\n  t[:, 0] = torch.sin(y[:, 0]).detach()\n  z = y + t",
                "aten::detach"},
        Program{"written_over",
                "  t = y.clone()\n  t[:, 0] = torch.sin(y[:, 0]).detach()\n  z = t.matmul(self.w)",
                "aten::detach"}),
    name_of);

class Kept : public ::testing::TestWithParam<Program> {};

TEST_P(Kept, AreCentralDifferences) {
  const Program& what = GetParam();
  const Model model = model_of(what.body);
  const at::Tensor inputs = inputs_of();
  const LayerJacobian layer(model, "tanh", "output", {inputs});
  if (what.named.empty()) {
    EXPECT_THAT(layer.constants(), ElementsAre());
  } else {
    EXPECT_THAT(layer.constants(), ElementsAre(what.named));
  }
  const at::Tensor found = layer({inputs}).blocks;
  const TappedModel tapped = tap_model(model, {"tanh", "output"});
  const at::NoGradGuard no_grad;
  const at::Tensor value = layer.from_values({inputs});
  const auto behind = [&](const at::Tensor& changed) {
    const Watch watch = tapped.replace("tanh", [&](const at::Tensor&) { return changed.clone(); });
    return tapped.forward_until("output", {inputs}).clone();
  };
  constexpr double step = 1e-6;
  for (std::int64_t j = 0; j < found.size(2); ++j) {
    at::Tensor up = value.clone();
    at::Tensor down = value.clone();
    up.select(1, j) += step;
    down.select(1, j) -= step;
    const at::Tensor expected = (behind(up) - behind(down)) / (2 * step);
    EXPECT_LE((found.select(2, j) - expected).abs().max().item<double>(), 1e-7) << j;
  }
}

INSTANTIATE_TEST_SUITE_P(
    , Kept,
    ::testing::Values(
        Program{"rectifier_by_hand", "  z = y * (y > 0).type_as(y)", "aten::gt"},
        Program{"where", "  z = torch.where(y > 0, y, 0.1 * y)", "aten::gt"},
        Program{"jump", "  z = y + (y > 0.5).to(7)", "aten::gt"},
        Program{"gather", "  z = y + y.gather(1, y.argmax(1, True))", "aten::argmax"},
        Program{"largest", "  z = y - torch.max(y, 1, True)[0]"},
        Program{"sorted", "  z = torch.sort(y, 1)[0]"},
        Program{"shape_alone", "  z = y * y.size(1) + torch.ones_like(y) + y.new_zeros([6])"},
        Program{"logged", "  t = y.detach().matmul(self.w)\n  z = y.matmul(self.w)"},
        Program{"decided", "  z = y\n  if float(self.w.sum()) < 1e9:\n    z = torch.sin(y)"},
        Program{"written",
                "  t = torch.zeros_like(y)\n  t[:, 0] = torch.sin(y[:, 1])\n  z = y + t"},
        Program{"normalised", "  z = torch.layer_norm(y, [6])"},
        Program{"softmax", "  z = torch.softmax(y.matmul(self.w), 1)"},
        Program{"residual", "  z = y + torch.relu(y.matmul(self.w))"}),
    name_of);

TEST(LayerJacobian, NamesBlocksWithoutGradients) {
  const Model model = fixture("no_grad_block").load();
  const at::Tensor inputs = at::randn({4, 8});
  EXPECT_THAT(refused(model, inputs, "fc1", "output"), HasSubstr("aten::relu (within no_grad)"));
  // Behind the block there is a derivative, of a sum here.
  const LayerJacobian behind(model, "relu", "output", {inputs});
  EXPECT_TRUE(behind({inputs}).blocks.equal(at::eye(8).expand({4, 8, 8})));
}

TEST(LayerJacobian, IsTheSameWhereTheCallerHasSwitchedGradientsOff) {
  const Model model = model_of("  z = torch.softmax(y.matmul(self.w), 1)");
  const at::Tensor inputs = inputs_of();
  for (const char* route : {"", "vjp", "jvp"}) {
    const LayerJacobian::Options options{.route = route};
    const at::Tensor expected =
        LayerJacobian(model, "tanh", "output", {inputs}, options)({inputs}).blocks;
    const at::NoGradGuard no_grad;
    const at::Tensor found =
        LayerJacobian(model, "tanh", "output", {inputs}, options)({inputs}).blocks;
    EXPECT_TRUE(found.equal(expected)) << route;
  }
}

TEST(LayerJacobian, NamesDerivativesThatKeepNoGraph) {
  EXPECT_THAT(refused(fixture("force").load(), at::randn({4, 8}), "energy.fc1", "output"),
              HasSubstr("create_graph=True"));
}

// What autograd returns of a network that overwrites what it needs is LibTorch's own complaint.
TEST(LayerJacobian, NamesTapsWhereAutogradCannotFollow) {
  const Model model = model_of(
      "  t = torch.sin(y)\n  u = torch.sigmoid(t)\n  u[:, 0] = u[:, 1] * u[:, 2]\n  z = u");
  EXPECT_THAT(refused(model, inputs_of(), "tanh", "output"),
              AllOf(HasSubstr("autograd cannot follow"), HasSubstr("'tanh' to 'output'"),
                    HasSubstr("inplace operation")));
}

TEST(LayerJacobian, RefusesNetworksThatMixSamples) {
  for (const char* body : {"  z = y - y.mean(0, True)",
                           "  z = torch.batch_norm(y, None, None, None, None, True, 0.1, "
                           "1e-5, False)"}) {
    for (const std::int64_t samples : {2, 3, 5, 8}) {
      SCOPED_TRACE(samples);
      EXPECT_THAT(refused(model_of(body), inputs_of(samples), "tanh", "output"),
                  HasSubstr("samples of a batch are mixed"));
      const Model before = model_of("  y = y - y.mean(0, True)\n  z = torch.sin(y)");
      EXPECT_THAT(refused(before, inputs_of(samples), "sin", "output"),
                  HasSubstr("samples of a batch are mixed"));
    }
  }
}

TEST(LayerJacobian, RefusesNetworksThatDrawRandomNumbers) {
  EXPECT_THAT(refused(model_of("  z = torch.dropout(y, 0.5, True)"), inputs_of(), "tanh", "output"),
              HasSubstr("random numbers"));
}

// Time first: as many steps as samples.
TEST(LayerJacobian, RefusesValuesWithoutABatchInFront) {
  const Model model = model_of(
      "  s = y.unsqueeze(2).transpose(0, 1).contiguous()\n  t = torch.sin(s)\n"
      "  z = t.transpose(0, 1).squeeze(2)");
  const at::Tensor inputs = inputs_of(6);  // [6, 6]
  EXPECT_THAT(refused(model, inputs, "sin", "output"), HasSubstr("no batch in front"));
  EXPECT_THAT(refused(model, inputs, "tanh", "sin"), HasSubstr("no batch in front"));
  EXPECT_EQ(refused(model, inputs, "tanh", "output"), "nothing");
}

TEST(LayerJacobian, RefusesNetworksForOneBatchSize) {
  EXPECT_THAT(refused(model_of("  z = y.view(5, 6)"), inputs_of(), "tanh", "output"),
              HasSubstr("one batch size"));
}

// A double derivative that is NaN where the single one is not.
TEST(LayerJacobian, DoesNotTakeProductsThatAreNotFinite) {
  const Model model = model_of("  z = torch.logcumsumexp(torch.cat([y, y, y, y], 1), 1)");
  const at::Tensor inputs = inputs_of();
  const LayerJacobian layer(model, "tanh", "output", {inputs});
  const LayerJacobian plain(model, "tanh", "output", {inputs}, {.route = "vjp"});
  const at::Tensor expected = plain({inputs}).blocks;
  EXPECT_LE((layer({inputs}).blocks - expected).abs().max().item<double>(),
            1e-10 * expected.abs().max().item<double>());
}

// Blocks are not less than single precision, whatever the network computes in.
TEST(LayerJacobian, OfBrainFloatsIsInSinglePrecision) {
  const Model model = model_of("  z = torch.relu(y.matmul(self.w))", at::kBFloat16);
  const at::Tensor inputs = inputs_of(5, at::kBFloat16);
  const LayerJacobian layer(model, "tanh", "relu", {inputs});
  EXPECT_EQ(layer.dtype(), at::kFloat);
  EXPECT_EQ(layer.from_space().dtype, at::kBFloat16);
  EXPECT_EQ(layer({inputs}).blocks.scalar_type(), at::kFloat);
}

TEST(LayerJacobian, KnowsTheDtypeOfBothTaps) {
  const Model model = model_of("  u = torch.sin(y.to(6))\n  z = u.to(7)");
  const LayerJacobian layer(model, "tanh", "sin", {inputs_of()});
  EXPECT_EQ(layer.from_space().dtype, at::kDouble);
  EXPECT_EQ(layer.to_space().dtype, at::kFloat);
}

}  // namespace
}  // namespace descramble::test
