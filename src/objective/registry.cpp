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

std::unique_ptr<Objective> make_objective(const nlohmann::json& resolved, const Moments& moments) {
  for (const ObjectiveKind& kind : objective_kinds()) {
    if (kind.info.name == resolved.at("kind")) return kind.make(resolved, moments);
  }
  throw Error({"unknown objective", "", quoted_list(objective_family().names()), resolved.at("kind").dump()});
}

}  // namespace descramble
