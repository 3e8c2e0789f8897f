#include "experiment/train_config.h"

#include <nlohmann/json.hpp>

#include "descramble/objective/stencil.h"
#include "experiment/fields.h"

namespace descramble {

using nlohmann::json;

namespace {

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

}  // namespace

const KindFamily& optimizer_family() {
  static const KindFamily family{
      .title = "optimizer",
      .kinds = {
          {.name = "adam",
           .summary = "Adam with beta 0.9 and 0.999, epsilon 1e-8",
           .source = "Kingma and Ba, arXiv 1412.6980",
           .fields = {rate_field(0.001), decay_field()}},
          {.name = "sgd",
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
                      decay_field()}}}};
  return family;
}

const KindFamily& schedule_family() {
  static const Field factor{.name = "factor",
                            .type = FieldType::number,
                            .doc = "what the learning rate is multiplied by",
                            .fallback = 0.2,
                            .minimum = 0,
                            .above_minimum = true};
  static const KindFamily family{
      .title = "schedule",
      .kinds = {
          {.name = "step",
           .summary = "multiplies the learning rate after every so many epochs",
           .fields = {{.name = "every", .type = FieldType::integer, .doc = "epochs", .minimum = 1},
                      factor}},
          {.name = "milestones",
           .summary = "multiplies the learning rate after the listed epochs",
           .fields = {{.name = "epochs",
                       .type = FieldType::integers,
                       .doc = "numbers of finished epochs",
                       .minimum = 1},
                      factor}}}};
  return family;
}

const FieldSet& probe_fields() {
  static const FieldSet set = [] {
    return FieldSet{"probe",
                    {{.name = "taps",
                      .type = FieldType::names,
                      .doc = "tap points that are measured: names or globs"},
                     {.name = "every",
                      .type = FieldType::integer,
                      .doc = "optimiser steps between two measurements; the beginning and the end "
                             "are measured too",
                      .fallback = 100,
                      .minimum = 1},
                     {.name = "measure",
                      .type = FieldType::names,
                      .doc = "what is measured",
                      .fallback = Fallback::json(R"(["spectrum", "smoothness"])"),
                      .choices = probe_measure_names()},
                     {.name = "samples",
                      .type = FieldType::integer,
                      .doc = "size of the probe set: the first samples of the source",
                      .fallback = 512,
                      .minimum = 1},
                     data_field("train"),
                     {.name = "stencil",
                      .type = FieldType::string,
                      .doc = "the differentiation stencil of the smoothness",
                      .fallback = "fourier_second",
                      .choices = stencil_names()},
                     {.name = "to",
                      .type = FieldType::string,
                      .doc = "the tap at the other end of the Jacobians of 'jacobian_l1'",
                      .fallback = "output"}}};
  }();
  return set;
}

const FieldSet& train_fields() {
  static const FieldSet set{
      "train",
      {{.name = "loss",
        .type = FieldType::string,
        .doc = "what is minimised; mse: the mean squared error against floating-point targets, or "
               "against one-hot classes",
        .fallback = "cross_entropy",
        .choices = {"cross_entropy", "mse"}},
       {.name = "optimizer",
        .type = FieldType::kind,
        .doc = "how",
        .fallback = Fallback::json(R"({"kind": "adam"})"),
        .family = optimizer_family},
       {.name = "epochs",
        .type = FieldType::integer,
        .doc = "passes over the training data",
        .minimum = 1},
       {.name = "batch_size",
        .type = FieldType::integer,
        .doc = "samples of one step",
        .fallback = 128,
        .minimum = 1},
       {.name = "schedule",
        .type = FieldType::kind_or_integers,
        .doc = "how the learning rate falls; a list of finished epochs: times 0.2 after each",
        .fallback = nullptr,
        .family = schedule_family},
       {.name = "probes",
        .type = FieldType::groups,
        .doc = "what is measured of layers while training",
        .fallback = Fallback::json("[]"),
        .fields = probe_fields}}};
  return set;
}

namespace {

OptimizerOptions optimizer_in(const json& resolved) {
  OptimizerOptions options{.lr = resolved.at("lr"), .weight_decay = resolved.at("weight_decay")};
  if (resolved.at("kind") == "adam") return options;
  options.kind = OptimizerOptions::Kind::sgd;
  options.momentum = resolved.at("momentum");
  options.nesterov = resolved.at("nesterov");
  return options;
}

Schedule schedule_in(const json& resolved) {
  if (resolved.is_null()) return {};
  if (resolved.is_array()) return milestones(resolved.get<std::vector<std::int64_t>>());
  if (resolved.at("kind") == "step")
    return every_epochs(resolved.at("every"), resolved.at("factor"));
  return milestones(resolved.at("epochs").get<std::vector<std::int64_t>>(), resolved.at("factor"));
}

}  // namespace

TrainOptions train_options_in(const json& resolved, std::uint64_t seed) {
  return {.loss = parse_loss(resolved.at("loss")),
          .optimizer = optimizer_in(resolved.at("optimizer")),
          .epochs = resolved.at("epochs"),
          .batch_size = resolved.at("batch_size"),
          .schedule = schedule_in(resolved.at("schedule")),
          .seed = seed};
}

ProbeOptions probe_options_in(const json& resolved) {
  return {.taps = names_in_field(resolved.at("taps")),
          .every = resolved.at("every"),
          .measure = names_in_field(resolved.at("measure")),
          .samples = resolved.at("samples"),
          .stencil = parse_stencil(resolved.at("stencil")),
          .to = resolved.at("to")};
}

}  // namespace descramble
