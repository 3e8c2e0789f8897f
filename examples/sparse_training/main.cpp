// Trains two networks from the same start. The second one also learns a rotation of its hidden
// layer, and pays for the L1 norm of the Jacobian of its logits with respect to the rotated values.
// Then both are compared.
//
//     sparse_training CURVES.svg [SEEDS [EPOCHS [WEIGHT [TRAIN.json TEST.json]]]]
//
// TRAIN.json and TEST.json are data sources as in a config; without them digits are drawn.

#include <cstdint>
#include <exception>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include <descramble/data/kinds.h>
#include <descramble/descramble.h>
#include <descramble/plot/figure.h>
#include <nlohmann/json.hpp>
#include <torch/torch.h>

namespace {

using descramble::Axis;

constexpr std::int64_t width = 64;

struct Net : torch::nn::Module {
  explicit Net(bool learns_rotation)
      : pair(learns_rotation ? descramble::RotationPair::learnable(width)
                             : descramble::RotationPair::identity(width)) {
    fc1 = register_module("fc1", torch::nn::Linear(784, width));
    fc2 = register_module("fc2", torch::nn::Linear(width, width));
    fc3 = register_module("fc3", torch::nn::Linear(width, 10));
  }
  torch::Tensor forward(const torch::Tensor& x) {
    const auto hidden = descramble::tap("hidden", torch::relu(fc1(x.flatten(1))));
    const auto rotated = descramble::tap("rotated", pair.rotate(hidden, Axis::features));
    return fc3(torch::relu(fc2(pair.unrotate(rotated, Axis::features))));
  }
  descramble::RotationPair pair;
  torch::nn::Linear fc1{nullptr}, fc2{nullptr}, fc3{nullptr};
};

struct Settings {
  int epochs = 3;
  double weight = 0.01;
  descramble::Source train{};
  descramble::Source test{};
};

std::shared_ptr<Net> trained(bool sparse, int seed, const Settings& settings) {
  torch::manual_seed(seed);
  auto net = std::make_shared<Net>(sparse);
  torch::optim::Adam optimizer(net->parameters(), 1e-3);
  // [snippet]
  if (sparse) optimizer.add_param_group(torch::optim::OptimizerParamGroup(net->pair.parameters()));
  torch::Tensor rotated;
  descramble::TapScope listening;
  listening.observe("rotated", [&](const torch::Tensor& value) { rotated = value; });
  for (int epoch = 0; epoch < settings.epochs; ++epoch) {
    const auto order = torch::randperm(settings.train.data->size());
    descramble::for_each_batch(
        *settings.train.data,
        {order.data_ptr<int64_t>(), order.data_ptr<int64_t>() + order.numel()}, 100, torch::kCPU,
        [&](const descramble::Batch& batch, std::int64_t) {
          optimizer.zero_grad();
          const auto logits = net->forward(batch.inputs[0]);
          auto loss = torch::nn::functional::cross_entropy(logits, batch.labels);
          if (sparse) {
            const auto jacobian = descramble::differentiable_jacobian(logits, rotated);
            loss = loss + settings.weight * jacobian.abs().sum({1, 2}).mean();
          }
          loss.backward();
          optimizer.step();
        });
  }
  // [/snippet]
  net->eval();
  return net;
}

struct Figures {
  double accuracy = 0;
  double l1 = 0;
  double sparsity = 0;
  std::vector<descramble::Series> curves{};
};

/// On held-out samples. A network's curves are those of the principal components of its hidden
/// layer, and of the directions of its rotation (of its neurons, if it learned none).
Figures explained(const std::shared_ptr<Net>& net, const std::string& name,
                  const Settings& settings) {
  const auto model = descramble::wrap_module(net, torch::zeros({1, 1, 28, 28}), name);
  const auto subject = descramble::open_subject(model, settings.train, settings.test);
  const auto jacobian = descramble::measure_jacobian(
      subject, {.from = "rotated", .to = "output", .data = descramble::Split::test});
  const auto complete = descramble::measure_completeness(
      subject, {.taps = {"rotated"}, .orders = {descramble::Order::descending}});
  Figures figures{descramble::evaluate(subject).top1(), jacobian.l1, jacobian.sparsity};
  const descramble::TapCompleteness& hidden = complete.taps[0];
  for (const descramble::Curve& curve : hidden.curves) {
    const bool principal = hidden.bases[curve.basis].label == "pca";
    const bool learned = !net->pair.parameters().empty();
    descramble::Series series{.label = name + ", " +
                                       (principal ? "principal"
                                        : learned ? "learned"
                                                  : "neurons")};
    for (const auto& [ablated, score] : curve.scores) {
      series.x.push_back(static_cast<double>(ablated));
      series.y.push_back(100 * score.top1());
    }
    std::cout << "  " << series.label << ": area " << *descramble::area_under(curve, width) << '\n';
    figures.curves.push_back(std::move(series));
  }
  return figures;
}

descramble::Source source_of(const nlohmann::json& config, const std::string& split) {
  return descramble::open_source(
      descramble::resolve_kind(descramble::source_family(), config, "/data"),
      {.seed = 1, .split = split});
}

void compare(const std::string& curves_file, int seeds, const Settings& settings) {
  for (int seed = 1; seed <= seeds; ++seed) {
    std::cout << "seed " << seed << '\n';
    const Figures plain = explained(trained(false, seed, settings), "plain", settings);
    const Figures sparse = explained(trained(true, seed, settings), "sparse", settings);
    std::cout << "  accuracy " << 100 * plain.accuracy << " -> " << 100 * sparse.accuracy << " %\n"
              << "  sum of |J| " << plain.l1 << " -> " << sparse.l1 << '\n'
              << "  the same at equal ||J|| " << plain.sparsity << " -> " << sparse.sparsity
              << '\n';
    if (seed > 1) continue;
    descramble::Figure figure{.title = "A network trained as usual, and one with a sparse Jacobian",
                              .x_title = "ablated directions of 64",
                              .y_title = "accuracy / %"};
    for (const Figures& each : {plain, sparse})
      figure.series.insert(figure.series.end(), each.curves.begin(), each.curves.end());
    if (descramble::can_draw())
      descramble::write_svg(figure, curves_file);
    else
      std::cerr << "sparse_training: " << curves_file << " is not drawn: gnuplot is missing\n";
  }
}

}  // namespace

int main(int count, char** values) try {
  if (count < 2 || count > 7 || count == 6) {
    std::cerr
        << "usage: sparse_training CURVES.svg [SEEDS [EPOCHS [WEIGHT [TRAIN.json TEST.json]]]]\n";
    return 2;
  }
  Settings settings;
  if (count > 3) settings.epochs = std::stoi(values[3]);
  if (count > 4) settings.weight = std::stod(values[4]);
  const auto config = [&](int place, std::int64_t drawn) -> nlohmann::json {
    if (count < 7) return {{"kind", "glyphs"}, {"count", drawn}};
    std::ifstream stream(values[place]);
    return nlohmann::json::parse(stream);
  };
  settings.train = source_of(config(5, 4000), "train");
  settings.test = source_of(config(6, 1000), "test");
  compare(values[1], count > 2 ? std::stoi(values[2]) : 1, settings);
  return 0;
} catch (const std::exception& error) {
  std::cerr << "sparse_training: " << error.what() << '\n';
  return 1;
}
