#pragma once

#include <memory>
#include <vector>

#include <torch/optim/optimizer.h>

#include "descramble/training/train.h"

namespace descramble {

/// @throws Error for options that contradict each other
std::unique_ptr<torch::optim::Optimizer> make_optimizer(const OptimizerOptions& options,
                                                        const std::vector<at::Tensor>& parameters);

void set_learning_rate(torch::optim::Optimizer& optimizer, double rate);

}  // namespace descramble
