#include <nlohmann/json.hpp>

#include "descramble/objective/objective.h"

namespace descramble {

#define DESCRAMBLE_KIND(name) const ObjectiveKind& objective_kind_##name();
#include "objective/builtin.def"
#undef DESCRAMBLE_KIND

const std::vector<ObjectiveKind>& objective_kinds() {
  static const std::vector<ObjectiveKind> kinds = {
#define DESCRAMBLE_KIND(name) objective_kind_##name(),
#include "objective/builtin.def"
#undef DESCRAMBLE_KIND
  };
  return kinds;
}

const KindFamily& objective_family() {
  static const KindFamily family = [] {
    KindFamily result{.title = "objective"};
    for (const ObjectiveKind& kind : objective_kinds()) result.kinds.push_back(kind.info);
    return result;
  }();
  return family;
}

std::unique_ptr<Objective> make_objective(const nlohmann::json& objective, const Moments& moments) {
  const nlohmann::json resolved = resolve_kind(objective_family(), objective, "/objective");
  std::size_t i = 0;
  while (objective_kinds()[i].info.name != resolved.at("kind")) ++i;
  return objective_kinds()[i].make(resolved, moments);
}

}  // namespace descramble
