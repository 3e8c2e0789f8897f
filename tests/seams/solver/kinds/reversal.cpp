#include <ATen/ops/eye.h>

#include "descramble/solver/kinds.h"

namespace descramble {

namespace {

/// Reverses the order inside each block. A row is negated where that keeps the determinant at 1.
at::Tensor reversed_blocks(const std::vector<std::int64_t>& blocks, std::int64_t d) {
  at::Tensor point = at::eye(d, at::kDouble);
  std::int64_t begin = 0;
  for (const std::int64_t size : blocks) {
    const at::Tensor block = point.slice(0, begin, begin + size).slice(1, begin, begin + size);
    block.copy_(at::eye(size, at::kDouble).flip(0));
    if (size / 2 % 2 == 1) block[0].neg_();
    begin += size;
  }
  return point;
}

}  // namespace

const SolverKind& solver_kind_reversal() {
  static const SolverKind kind{
      .info = {.name = "reversal",
               .summary = "the better one of two points: the identity, or the order reversed"},
      .solve = [](const Objective& objective, const Settings&, const SolverRun&) {
        Solution solution{.point = at::eye(objective.dimension(), at::kDouble),
                          .reason = "converged"};
        solution.value = objective.value(solution.point);
        const at::Tensor reversed = reversed_blocks(objective.blocks(), objective.dimension());
        if (const double value = objective.value(reversed); value < solution.value) {
          solution.point = reversed;
          solution.value = value;
        }
        return solution;
      }};
  return kind;
}

}  // namespace descramble
