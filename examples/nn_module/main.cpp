// Trains a torch::nn module on drawn digits, and explains its hidden layer.
//
//     nn_module [EPOCHS]
//
// The module names a point in its own forward; nothing else of it changes.

#include <exception>
#include <iostream>
#include <memory>
#include <string>

#include <descramble/data/kinds.h>
#include <descramble/descramble.h>
#include <nlohmann/json.hpp>
#include <torch/torch.h>

namespace {

// [snippet]
struct Net : torch::nn::Module {
  Net() {
    hidden = register_module("hidden", torch::nn::Linear(784, 48));
    answer = register_module("answer", torch::nn::Linear(48, 10));
  }

  torch::Tensor forward(const torch::Tensor& x) {
    // Costs a comparison when nobody listens.
    const auto h = descramble::tap("hidden", torch::relu(hidden->forward(x.flatten(1))));
    return answer->forward(h);
  }

  torch::nn::Linear hidden{nullptr}, answer{nullptr};
};
// [/snippet]

descramble::Source drawn_digits(std::int64_t count) {
  const nlohmann::json config = {{"kind", "glyphs"}, {"count", count}};
  return descramble::open_source(
      descramble::resolve_kind(descramble::source_family(), config, "/data"), {.seed = 1});
}

void train(Net& net, const descramble::Source& digits, int epochs) {
  torch::optim::Adam optimizer(net.parameters(), 2e-3);
  net.train();
  for (int epoch = 0; epoch < epochs; ++epoch) {
    for (std::int64_t begin = 0; begin + 100 <= digits.data->size(); begin += 100) {
      const auto batch = digits.data->slice(begin, begin + 100);
      optimizer.zero_grad();
      torch::nn::functional::cross_entropy(net.forward(batch.inputs[0]), batch.labels).backward();
      optimizer.step();
    }
  }
}

void explain(const std::shared_ptr<Net>& net, const descramble::Source& digits) {
  // [snippet]
  net->eval();
  const auto model = descramble::wrap_module(net, torch::zeros({1, 1, 28, 28}));
  const auto subject = descramble::open_subject(model, digits);
  const auto complete = descramble::measure_completeness(subject, {.taps = {"hidden"}});
  const auto jacobian = descramble::measure_jacobian(subject, {.from = "hidden", .to = "output"});
  // [/snippet]

  const descramble::TapCompleteness& hidden = complete.taps[0];
  for (const descramble::Curve& curve : hidden.curves)
    std::cout << hidden.bases[curve.basis].label << ", " << descramble::order_name(curve.order)
              << ": area " << *descramble::area_under(curve, hidden.space.dimension) << '\n';
  std::cout << "how: " << hidden.obstacle << '\n';

  std::cout << "sum of |J| " << jacobian.l1 << '\n';
}

}  // namespace

int main(int count, char** values) try {
  torch::manual_seed(1);
  const descramble::Source digits = drawn_digits(2000);
  const auto net = std::make_shared<Net>();
  train(*net, digits, count > 1 ? std::stoi(values[1]) : 3);
  explain(net, digits);
  return 0;
} catch (const std::exception& error) {
  std::cerr << "nn_module: " << error.what() << '\n';
  return 1;
}
