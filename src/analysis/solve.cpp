#include "analysis/solve.h"

#include <fmt/format.h>

namespace descramble {

Solution solve(const Objective& objective, const SolverChoice& chosen, const std::string& what,
               std::uint64_t seed, Progress& progress) {
  const SolverChoice own = chosen.solve ? chosen : solver();
  const std::string name = own.name.empty() ? best_solver(objective) : own.name;
  constexpr std::int64_t units = 1'000'000;
  bool begun = false;
  SolverRun run{.seed = seed};
  run.on_iteration = [&](const Iteration& at) {
    if (!begun) progress.begin(fmt::format("{} of {}", name, what), units);
    begun = true;
    progress.reach(static_cast<std::int64_t>(static_cast<double>(units) * at.share));
  };
  Solution solution = own.solve(objective, run);
  if (begun) progress.end();
  return solution;
}

}  // namespace descramble
