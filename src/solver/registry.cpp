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
  for (const SolverKind& kind : solver_kinds()) {
    if (kind.info.name == solver.at("kind")) return kind.solve(objective, solver, seed);
  }
  throw Error({"unknown solver", "", quoted_list(solver_family().names()), solver.at("kind").dump()});
}

}  // namespace descramble
