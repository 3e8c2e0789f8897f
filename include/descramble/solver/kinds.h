#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "descramble/config/kind.h"
#include "descramble/config/settings.h"
#include "descramble/objective/kinds.h"
#include "descramble/solver/solver.h"

namespace [[gnu::visibility("default")]] descramble {

/// A kind of solver: its fields, and how it solves once they are resolved.
struct SolverKind {
  KindInfo info{};  ///< its name, fields and summary
  /// Minimises the objective. @throws Error for an objective that it cannot serve
  Solution (*solve)(const Objective& objective, const Settings& settings,
                    const SolverRun& run) = nullptr;
  /// What an objective must be to be served; null: any will do.
  bool ObjectiveTraits::*needs = nullptr;
  const char* needed = "";  ///< that property in words, for errors
};

/// Every kind in src/solver/builtin.def.
const std::vector<SolverKind>& solver_kinds();
/// The kinds as configs, schema and documentation see them.
const KindFamily& solver_family();

/// Checks that a solver can serve an objective.
/// @throws Error where `solver` (JSON; null: the best known) cannot serve `objective` (JSON). Of an
/// objective that tells its traits only once it is made, every solver is accepted; minimise_with
/// then refuses those that cannot serve it.
void require_fit(const nlohmann::json& solver, const nlohmann::json& objective);
/// The same for an objective of these traits, where they are known.
void require_fit(const nlohmann::json& solver, const std::optional<ObjectiveTraits>& traits,
                 const std::string& objective);

/// The same from JSON, as configs have it: {"kind": …, …}, or null for the best known.
Solution minimise_with(const Objective& objective, const nlohmann::json& solver,
                       const SolverRun& run = {});

}  // namespace descramble
