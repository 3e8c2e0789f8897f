#include "descramble/solver/choice.h"

namespace descramble {

SolverChoice solver(const SolverOptions& options) {
  return {options.kind, [options](const Objective& objective, const SolverRun& run) {
            SolverOptions own = options;
            own.seed = run.seed;
            own.start = run.start;
            own.on_iteration = run.on_iteration;
            return minimise(objective, own);
          }};
}

}  // namespace descramble
