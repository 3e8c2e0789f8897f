#pragma once

#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>
#include <torch/optim/optimizer.h>

namespace descramble {

/// The optimiser of a config. @throws Error naming the field below `pointer` that makes no sense
std::unique_ptr<torch::optim::Optimizer> make_optimizer(const nlohmann::json& resolved,
                                                        const std::vector<at::Tensor>& parameters,
                                                        const std::string& pointer);

void set_learning_rate(torch::optim::Optimizer& optimizer, double rate);

/// What the schedule multiplies the learning rate by after `finished` epochs.
double rate_factor(const nlohmann::json& schedule, std::int64_t finished);

}  // namespace descramble
