// Masked products of operations with settings that are not the usual ones, against autograd.

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

#include "descramble/jacobian/layer_jacobian.h"
#include "model/fixtures.h"

namespace descramble::test {
namespace {

struct Setting {
  std::string name{};
  std::string operation{};             ///< from y to z, with the weight w
  std::vector<std::int64_t> kernel{};  ///< size of w; empty: none
  std::vector<std::int64_t> input{2, 4, 9, 8};
};

void PrintTo(const Setting& one, std::ostream* out) {
  *out << one.name;
}

std::vector<Setting> settings() {
  return {
      {"strided_padded", "torch.conv2d(y, self.w, None, [2, 3], [1, 2])", {3, 4, 3, 2}},
      {"dilated", "torch.conv2d(y, self.w, None, [1, 1], [2, 1], [2, 3])", {3, 4, 3, 2}},
      {"grouped", "torch.conv2d(y, self.w, None, [2, 1], [0, 1], [1, 1], 2)", {6, 2, 3, 3}},
      {"depthwise", "torch.conv2d(y, self.w, None, [1, 1], [1, 1], [1, 1], 4)", {4, 1, 3, 3}},
      {"conv1d", "torch.conv1d(y, self.w, None, [2], [1], [2])", {3, 4, 3}, {2, 4, 11}},
      {"conv3d",
       "torch.conv3d(y, self.w, None, [1, 2, 1], [0, 1, 0])",
       {3, 2, 2, 3, 2},
       {2, 2, 4, 5, 4}},
      {"leaky", "torch.leaky_relu(y, 0.2)", {}},
      {"overlapping_max", "torch.max_pool2d(y, [3, 3], [2, 2], [1, 1])", {}},
      {"ceiling_max", "torch.max_pool2d(y, [2, 3], [2, 3], [0, 1], [1, 1], True)", {}},
      {"dilated_max", "torch.max_pool2d(y, [2, 2], [1, 2], [0, 0], [2, 1])", {}},
      {"padded_average", "torch.avg_pool2d(y, [3, 3], [2, 2], [1, 1], False, True)", {}},
      {"without_padding", "torch.avg_pool2d(y, [3, 3], [2, 2], [1, 1], False, False)", {}},
      {"ceiling_average", "torch.avg_pool2d(y, [2, 3], [2, 3], [0, 1], True, False)", {}},
      {"divisor", "torch.avg_pool2d(y, [2, 2], [2, 2], [0, 0], False, True, 3)", {}},
      {"tokens", "torch.linear(y, self.w, None)", {5, 6}, {2, 7, 6}},
  };
}

class Settings : public ::testing::TestWithParam<Setting> {};

TEST_P(Settings, AreWhatAutogradSays) {
  const Setting& what = GetParam();
  torch::jit::Module module("settings");
  RandomStream random = random_stream(5, "test/settings/" + what.name);
  at::Tensor weight =
      random.normal_tensor(what.kernel.empty() ? std::vector<std::int64_t>{1} : what.kernel);
  module.register_parameter("w", weight, false);
  module.register_attribute("training", c10::BoolType::get(), false);
  // Between two rectifiers, so that masks of both sides meet the operation.
  module.define("def forward(self, x):\n  y = torch.relu(x)\n  z = " + what.operation +
                "\n  return torch.relu(z)\n");
  const TemporaryFolder folder;
  const std::string file = (folder / "model.pt").string();
  module.save(file);
  const Model model = load_model(file);
  const at::Tensor inputs = random.normal_tensor(what.input) + 0.1;
  for (const Axis axis : {Axis::neurons, Axis::channels}) {
    if (axis == Axis::channels && what.name == "tokens") continue;
    SCOPED_TRACE(axis_name(axis));
    const auto options = [&](const char* route) {
      return LayerJacobian::Options{
          .from_axis = axis, .to_axis = axis, .positions = 5, .route = route};
    };
    const LayerJacobian best(model, "input", "relu_1", {inputs}, options(""));
    EXPECT_EQ(best.route(), "masked_product") << best.obstacle();
    const LayerJacobian plain(model, "input", "relu_1", {inputs}, options("vjp"));
    const JacobianBlocks a = best({inputs});
    const JacobianBlocks b = plain({inputs});
    ASSERT_EQ(a.blocks.sizes(), b.blocks.sizes());
    EXPECT_GT(b.blocks.abs().max().item<double>(), 0);
    EXPECT_LE((a.blocks - b.blocks).abs().max().item<double>(),
              1e-12 * b.blocks.abs().max().item<double>());
  }
}

INSTANTIATE_TEST_SUITE_P(, Settings, ::testing::ValuesIn(settings()),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace descramble::test
