#include "descramble/objective/jacobian_l1.h"

#include "descramble/objective/kinds.h"

namespace descramble {

std::vector<std::string> chain_taps(const Settings& settings) {
  std::vector<std::string> taps = settings.find_texts("taps").value_or(std::vector<std::string>{});
  require_chain(taps);
  return taps;
}

std::vector<bool> learned_taps(const Settings& settings, const std::vector<std::string>& taps) {
  return learned_flags(taps, settings.find_texts("learn").value_or(std::vector<std::string>{}));
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
      .traits = [](const Settings&) { return ObjectiveTraits{.is_sharp = true}; },
      .needs = [](const Settings&) { return LayerNeeds::jacobians; },
      .make = [](const Settings& settings, const LayerData& layer) -> std::unique_ptr<Objective> {
        return std::make_unique<JacobianL1>(*layer.jacobians,
                                            learned_taps(settings, layer.jacobians->taps));
      }};
  return kind;
}

}  // namespace descramble
