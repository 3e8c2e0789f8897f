// A rotation pair in a training with LibTorch's optimisers: a training that is saved at half and
// restored into new objects goes on in the same bytes.

#include <filesystem>

#include <gmock/gmock.h>
#include <torch/torch.h>

#include "descramble/basis/rotation_pair.h"
#include "descramble/core/random.h"
#include "temporary_folder.h"
#include "throws.h"

namespace descramble::test {

namespace {

struct Net : torch::nn::Module {
  Net() {
    hidden = register_module("hidden", torch::nn::Linear(6, 8));
    answer = register_module("answer", torch::nn::Linear(8, 3));
  }
  torch::nn::Linear hidden{nullptr}, answer{nullptr};
};

/// Task loss + 0.1 · Σ|P h| / n: the rotation makes the hidden values sparse.
struct Training {
  Training(const std::string& optimiser, Chart chart)
      : kind(optimiser), pair(RotationPair::learnable(8, chart)) {
    torch::manual_seed(5);
    net = std::make_shared<Net>();
    begin_optimiser();
    inputs = random_stream(1, "inputs").normal_tensor({40, 6}).to(at::kFloat);
    labels = inputs.slice(1, 0, 3).argmax(1);
  }

  void begin_optimiser() {
    std::vector<torch::Tensor> parameters = net->parameters();
    for (const torch::Tensor& one : pair.parameters()) parameters.push_back(one);
    if (kind == "sgd") {
      optimizer = std::make_unique<torch::optim::SGD>(parameters,
                                                      torch::optim::SGDOptions(0.05).momentum(0.9));
    } else if (kind == "adam") {
      optimizer = std::make_unique<torch::optim::Adam>(parameters, 0.02);
    } else if (kind == "adamw") {
      optimizer = std::make_unique<torch::optim::AdamW>(parameters, 0.02);
    } else {
      optimizer = std::make_unique<torch::optim::LBFGS>(
          parameters, torch::optim::LBFGSOptions(0.5).max_iter(3));
    }
  }

  double step() {
    const torch::Tensor loss = optimizer->step([this] {
      optimizer->zero_grad();
      const torch::Tensor h = torch::tanh(net->hidden->forward(inputs));
      const torch::Tensor logits = net->answer->forward(pair.round_trip(h, Axis::features));
      torch::Tensor value = torch::nn::functional::cross_entropy(logits, labels) +
                            0.1 * pair.rotate(h, Axis::features).abs().mean();
      value.backward();
      return value;
    });
    return loss.item<double>();
  }

  void save(const std::filesystem::path& folder) {
    torch::save(net, (folder / "net.pt").string());
    // LibTorch cannot save its LBFGS once that has made a step (undefined tensors in its state):
    // such a training begins its memory again.
    if (kind == "lbfgs") {
      begin_optimiser();
    } else {
      torch::save(*optimizer, (folder / "optimizer.pt").string());
    }
    torch::save(pair.state(), (folder / "pair.pt").string());
  }
  void load(const std::filesystem::path& folder) {
    torch::load(net, (folder / "net.pt").string());
    if (kind != "lbfgs") torch::load(*optimizer, (folder / "optimizer.pt").string());
    std::vector<torch::Tensor> saved;
    torch::load(saved, (folder / "pair.pt").string());
    pair.restore(saved);
  }

  std::string kind;
  std::shared_ptr<Net> net;
  RotationPair pair;
  std::unique_ptr<torch::optim::Optimizer> optimizer;
  torch::Tensor inputs, labels;
};

class Checkpoints : public ::testing::TestWithParam<std::pair<const char*, Chart>> {};

TEST_P(Checkpoints, GoOnInTheSameBytes) {
  const auto [optimiser, chart] = GetParam();
  const TemporaryFolder folder;
  Training whole(optimiser, chart);
  const double first = whole.step();
  for (int i = 1; i < 12; ++i) whole.step();
  whole.save(folder.path());
  Training again(optimiser, chart);
  again.load(folder.path());
  double last = 0;
  for (int i = 0; i < 12; ++i) {
    last = whole.step();
    EXPECT_EQ(again.step(), last) << "step " << i;
  }
  EXPECT_LT(last, first);
  for (std::size_t i = 0; i < whole.net->parameters().size(); ++i)
    EXPECT_TRUE(torch::equal(whole.net->parameters()[i], again.net->parameters()[i]));
  EXPECT_TRUE(torch::equal(whole.pair.matrix(), again.pair.matrix()));
  EXPECT_LT(again.pair.orthogonality(), 1e-12);
  EXPECT_FALSE(torch::equal(again.pair.matrix(), torch::eye(8, torch::kFloat64)));
}

INSTANTIATE_TEST_SUITE_P(Optimisers, Checkpoints,
                         ::testing::Values(std::pair{"sgd", Chart::cayley},
                                           std::pair{"adam", Chart::cayley},
                                           std::pair{"adamw", Chart::cayley},
                                           std::pair{"adam", Chart::exponential},
                                           std::pair{"lbfgs", Chart::static_cayley},
                                           std::pair{"lbfgs", Chart::exponential}));

TEST(PairStates, RefuseWhatIsNone) {
  RotationPair pair = RotationPair::learnable(3);
  const auto good = pair.state();
  ASSERT_EQ(good.size(), 2U);
  pair.restore(good);
  const std::string what = "not a state of this rotation pair";
  EXPECT_THAT([&] { pair.restore({}); }, ThrowsError(what, "2 tensors"));
  EXPECT_THAT([&] { pair.restore(RotationPair::learnable(4).state()); }, ThrowsError(what, "3x3"));
  EXPECT_THAT([&] { pair.restore({good[0], torch::zeros({4})}); }, ThrowsError(what));
  EXPECT_THAT([&] { pair.restore({good[0], good[1] / 0}); }, ThrowsError(what, "finite"));
  EXPECT_THAT([&] { pair.restore({good[0] * 2, good[1]}); }, ThrowsError("not a rotation"));
  RotationPair fixed = RotationPair::identity(3);
  EXPECT_THAT([&] { fixed.restore(good); }, ThrowsError(what, "1 tensors"));
  fixed.restore({-torch::eye(3)});
  EXPECT_EQ(fixed.matrix()[0][0].item<double>(), -1);
}

}  // namespace

}  // namespace descramble::test
