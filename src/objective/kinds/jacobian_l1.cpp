#include "descramble/objective/jacobian_l1.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "descramble/core/error.h"

namespace descramble {

namespace {

/// Which taps of the chain are learned: those named, or all but the last.
std::vector<bool> learned_of(const nlohmann::json& resolved, const std::vector<std::string>& taps) {
  std::vector<bool> learned(taps.size(), resolved.at("learn").is_null());
  if (resolved.at("learn").is_null()) {
    learned.back() = false;
    return learned;
  }
  const nlohmann::json& names = resolved.at("learn");
  for (const auto& name : names.is_string() ? nlohmann::json::array({names}) : names) {
    const auto found = std::find(taps.begin(), taps.end(), name.get<std::string>());
    if (found == taps.end()) {
      throw Error({"a tap to learn is not in the chain", "/objective/learn",
                   "one of " + quoted_list(taps), "'" + name.get<std::string>() + "'"});
    }
    learned[static_cast<std::size_t>(found - taps.begin())] = true;
  }
  return learned;
}

}  // namespace

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
      .needs = [](const nlohmann::json&) { return LayerNeeds::jacobians; },
      .make = [](const nlohmann::json& resolved,
                 const LayerData& layer) -> std::unique_ptr<Objective> {
        return std::make_unique<JacobianL1>(*layer.jacobians,
                                            learned_of(resolved, layer.jacobians->taps));
      }};
  return kind;
}

}  // namespace descramble
