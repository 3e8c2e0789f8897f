#include "descramble/objective/jacobian_l1.h"

#include <nlohmann/json.hpp>

namespace descramble {

namespace {

std::vector<std::string> names_in(const nlohmann::json& value) {
  if (value.is_null()) return {};
  if (value.is_string()) return {value.get<std::string>()};
  return value.get<std::vector<std::string>>();
}

}  // namespace

std::vector<std::string> chain_taps(const nlohmann::json& resolved) {
  const std::vector<std::string> taps = names_in(resolved.at("taps"));
  require_chain(taps);
  return taps;
}

std::vector<bool> learned_taps(const nlohmann::json& resolved,
                               const std::vector<std::string>& taps) {
  return learned_flags(taps, names_in(resolved.at("learn")));
}

const ObjectiveKind& objective_kind_jacobian_l1() {
  static const ObjectiveKind kind{
      .info =
          {.name = "jacobian_l1",
           .summary = "the absolute values of the Jacobians along a chain of taps, in rotated "
                      "bases: each quantity depends on few others",
           .formula = "sum over layers of mean_x sum |P_(i+1) J_i(x) P_i'|",
           .source = "Baker, Taking the parameters which seem to matter and rotating them until "
                     "they don't (2022)",
           .fields = {{.name = "taps",
                       .type = FieldType::names,
                       .doc = "the chain, from the input side on, two or more; each learned one is "
                              "rotated",
                       .fallback = nullptr},
                      {.name = "learn",
                       .type = FieldType::names,
                       .doc = "the taps whose rotations are learned; null: all but the last",
                       .fallback = nullptr},
                      {.name = "samples",
                       .type = FieldType::integer,
                       .doc = "inputs whose Jacobians are taken, evenly out of the data",
                       .fallback = 2048,
                       .minimum = 1},
                      {.name = "held_out",
                       .type = FieldType::number,
                       .doc = "the share of them that is only scored",
                       .fallback = 0.25,
                       .minimum = 0,
                       .maximum = 0.9},
                      {.name = "positions",
                       .type = FieldType::integer,
                       .doc = "sampled output positions where a tap has positions (channels, "
                              "tokens)",
                       .fallback = 8,
                       .minimum = 1}}},
      .shape = [](const nlohmann::json&) { return ObjectiveShape{.is_sharp = true}; },
      .needs = [](const nlohmann::json&) { return LayerNeeds::jacobians; },
      .make = [](const nlohmann::json& resolved,
                 const LayerData& layer) -> std::unique_ptr<Objective> {
        return std::make_unique<JacobianL1>(*layer.jacobians,
                                            learned_taps(resolved, layer.jacobians->taps));
      }};
  return kind;
}

}  // namespace descramble
