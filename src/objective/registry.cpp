#include "descramble/config/registry.h"

#include <fmt/format.h>

#include "descramble/objective/kinds.h"
#include "descramble/objective/objective.h"

namespace descramble {

#define DESCRAMBLE_KIND(name) const ObjectiveKind& objective_kind_##name();
#include "objective/builtin.def"
#undef DESCRAMBLE_KIND

namespace {

const Registry<ObjectiveKind>& objective_registry() {
  static const Registry<ObjectiveKind> registry = [] {
    std::vector<ObjectiveKind> kinds = {
#define DESCRAMBLE_KIND(name) objective_kind_##name(),
#include "objective/builtin.def"
#undef DESCRAMBLE_KIND
    };
    return Registry("objective", std::move(kinds));
  }();
  return registry;
}

}  // namespace

const std::vector<ObjectiveKind>& objective_kinds() {
  return objective_registry().kinds();
}

const KindFamily& objective_family() {
  return objective_registry().family();
}

namespace {

Chosen<ObjectiveKind> chosen_objective(const nlohmann::json& objective) {
  return objective_registry().resolve(objective, "/objective");
}

bool has(const LayerData& layer, LayerNeeds needs) {
  switch (needs) {
    case LayerNeeds::moments:
      return layer.moments.count() > 0;
    case LayerNeeds::moments_and_weight:
      return layer.moments.count() > 0 && layer.weight.defined();
    case LayerNeeds::weight:
      return layer.weight.defined();
    case LayerNeeds::values:
      return layer.values.has_value();
    case LayerNeeds::jacobians:
      return layer.jacobians.has_value();
  }
  return false;
}

const char* text_of(LayerNeeds needs) {
  switch (needs) {
    case LayerNeeds::moments:
      return "moments of the layer's values";
    case LayerNeeds::moments_and_weight:
      return "moments of the values of a layer with a weight";
    case LayerNeeds::weight:
      return "a layer with a weight";
    case LayerNeeds::values:
      return "the layer's values";
    case LayerNeeds::jacobians:
      return "the Jacobians between taps";
  }
  return "";
}

}  // namespace

LayerNeeds objective_needs(const nlohmann::json& objective) {
  const Chosen<ObjectiveKind> chosen = chosen_objective(objective);
  return chosen.kind.needs(chosen.settings);
}

std::optional<ObjectiveTraits> objective_traits(const ObjectiveKind& kind,
                                                const Settings& settings) {
  if (kind.traits == nullptr) return std::nullopt;
  return kind.traits(settings);
}

std::optional<ObjectiveTraits> objective_traits(const nlohmann::json& objective) {
  const auto [kind, settings] = chosen_objective(objective);
  return objective_traits(kind, settings);
}

std::unique_ptr<Objective> make_objective(const nlohmann::json& objective, const LayerData& layer) {
  const auto [kind, settings] = chosen_objective(objective);
  const LayerNeeds needs = kind.needs(settings);
  if (!has(layer, needs)) {
    throw Error({"the objective '" + kind.info.name + "' cannot be made",
                 layer.tap.empty() ? "/objective" : "tap '" + layer.tap + "'", text_of(needs),
                 "none"});
  }
  return kind.make(settings, layer);
}

std::unique_ptr<Objective> make_objective(const nlohmann::json& objective, const Moments& moments) {
  LayerData layer;
  layer.moments = moments;
  return make_objective(objective, layer);
}

void require_rotation_size(const at::Tensor& rotation, const Objective& objective) {
  const std::int64_t d = objective.dimension();
  if (rotation.dim() != 2 || rotation.size(0) != d || rotation.size(1) != d) {
    throw Error({"rotation of the wrong size", objective.name(), fmt::format("{0} x {0}", d),
                 rotation.dim() == 2 ? fmt::format("{} x {}", rotation.size(0), rotation.size(1))
                                     : fmt::format("{} dimensions", rotation.dim())});
  }
}

}  // namespace descramble
