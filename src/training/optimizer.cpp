#include "training/optimizer.h"

#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

#include "descramble/core/error.h"

namespace descramble {

std::unique_ptr<torch::optim::Optimizer> make_optimizer(const OptimizerOptions& options,
                                                        const std::vector<at::Tensor>& parameters) {
  if (options.kind == OptimizerOptions::Kind::adam) {
    const auto own = torch::optim::AdamOptions(options.lr).weight_decay(options.weight_decay);
    return std::make_unique<torch::optim::Adam>(parameters, own);
  }
  if (options.nesterov && options.momentum == 0) {
    throw Error(
        {"Nesterov's method needs a momentum", "/train/optimizer/momentum", "a number > 0", "0"});
  }
  const auto own = torch::optim::SGDOptions(options.lr)
                       .momentum(options.momentum)
                       .nesterov(options.nesterov)
                       .weight_decay(options.weight_decay);
  return std::make_unique<torch::optim::SGD>(parameters, own);
}

void set_learning_rate(torch::optim::Optimizer& optimizer, double rate) {
  for (torch::optim::OptimizerParamGroup& group : optimizer.param_groups())
    group.options().set_lr(rate);
}

}  // namespace descramble
