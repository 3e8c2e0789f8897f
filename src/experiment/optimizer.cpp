#include "experiment/optimizer.h"

#include <nlohmann/json.hpp>
#include <torch/optim/adam.h>
#include <torch/optim/sgd.h>

#include "descramble/experiment/train.h"

namespace descramble {

using nlohmann::json;

namespace {

using Made = std::unique_ptr<torch::optim::Optimizer>;
using Parameters = std::vector<at::Tensor>;

Field rate_field(double fallback) {
  return {.name = "lr",
          .type = FieldType::number,
          .doc = "learning rate",
          .fallback = fallback,
          .minimum = 0,
          .above_minimum = true};
}

Field decay_field() {
  return {.name = "weight_decay",
          .type = FieldType::number,
          .doc = "L2 penalty: this times the parameter is added to its gradient",
          .fallback = 0.0,
          .minimum = 0};
}

Made make_adam(const json& resolved, const Parameters& parameters, const std::string&) {
  const auto options = torch::optim::AdamOptions(resolved.at("lr").get<double>())
                           .weight_decay(resolved.at("weight_decay").get<double>());
  return std::make_unique<torch::optim::Adam>(parameters, options);
}

Made make_sgd(const json& resolved, const Parameters& parameters, const std::string& pointer) {
  const double momentum = resolved.at("momentum");
  const bool nesterov = resolved.at("nesterov");
  if (nesterov && momentum == 0)
    throw Error({"Nesterov's method needs a momentum", pointer + "/momentum", "a number > 0", "0"});
  const auto options = torch::optim::SGDOptions(resolved.at("lr").get<double>())
                           .momentum(momentum)
                           .nesterov(nesterov)
                           .weight_decay(resolved.at("weight_decay").get<double>());
  return std::make_unique<torch::optim::SGD>(parameters, options);
}

struct OptimizerKind {
  KindInfo info{};
  Made (*make)(const json& resolved, const Parameters& parameters,
               const std::string& pointer) = nullptr;
};

const std::vector<OptimizerKind>& optimizer_kinds() {
  static const std::vector<OptimizerKind> kinds = {
      {.info = {.name = "adam",
                .summary = "Adam with beta 0.9 and 0.999, epsilon 1e-8",
                .source = "Kingma and Ba, arXiv 1412.6980",
                .fields = {rate_field(0.001), decay_field()}},
       .make = make_adam},
      {.info = {.name = "sgd",
                .summary = "stochastic gradient descent, with momentum or without",
                .formula = "v <- momentum v + g; w <- w - lr v (Nesterov: lr (g + momentum v))",
                .source = "Sutskever, Martens, Dahl, Hinton, ICML 2013 (momentum); torch.optim.SGD",
                .fields = {rate_field(0.01),
                           {.name = "momentum",
                            .type = FieldType::number,
                            .doc = "share of the last step that is kept",
                            .fallback = 0.0,
                            .minimum = 0,
                            .maximum = 1},
                           {.name = "nesterov",
                            .type = FieldType::boolean,
                            .doc = "takes the gradient's step after the momentum's",
                            .fallback = false},
                           decay_field()}},
       .make = make_sgd}};
  return kinds;
}

}  // namespace

const KindFamily& optimizer_family() {
  static const KindFamily family = [] {
    KindFamily result{.title = "optimizer"};
    for (const OptimizerKind& kind : optimizer_kinds()) result.kinds.push_back(kind.info);
    return result;
  }();
  return family;
}

Made make_optimizer(const json& resolved, const Parameters& parameters,
                    const std::string& pointer) {
  for (const OptimizerKind& kind : optimizer_kinds()) {
    if (kind.info.name == resolved.at("kind")) return kind.make(resolved, parameters, pointer);
  }
  throw Error({"unknown optimizer", pointer});
}

void set_learning_rate(torch::optim::Optimizer& optimizer, double rate) {
  for (torch::optim::OptimizerParamGroup& group : optimizer.param_groups())
    group.options().set_lr(rate);
}

}  // namespace descramble
