#include <nlohmann/json.hpp>

#include "descramble/solver/solver.h"

namespace descramble {

#define DESCRAMBLE_KIND(name) const SolverKind& solver_kind_##name();
#include "solver/builtin.def"
#undef DESCRAMBLE_KIND

const std::vector<SolverKind>& solver_kinds() {
  static const std::vector<SolverKind> kinds = {
#define DESCRAMBLE_KIND(name) solver_kind_##name(),
#include "solver/builtin.def"
#undef DESCRAMBLE_KIND
  };
  return kinds;
}

const KindFamily& solver_family() {
  static const KindFamily family = [] {
    KindFamily result{.title = "solver"};
    for (const SolverKind& kind : solver_kinds()) result.kinds.push_back(kind.info);
    return result;
  }();
  return family;
}

Solution minimise(const Objective& objective, const nlohmann::json& solver, std::uint64_t seed) {
  const nlohmann::json resolved = resolve_kind(solver_family(), solver, "/solver");
  std::size_t i = 0;
  while (solver_kinds()[i].info.name != resolved.at("kind")) ++i;
  return solver_kinds()[i].solve(objective, resolved, seed);
}

}  // namespace descramble
