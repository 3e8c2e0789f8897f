#include "objective/jacobian_guesses.h"

#include <algorithm>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>

#include "descramble/basis/orthogonal.h"
#include "descramble/core/interrupt.h"
#include "objective/double_on_cpu.h"

namespace descramble {

namespace {

/// Singular vectors of a mean Jacobian as rotations of its two sides.
struct Sides {
  at::Tensor left{};   ///< Uᵀ
  at::Tensor right{};  ///< Vᵀ
};

Sides sides_of_mean(const JacobianTerm& term) {
  at::Tensor mean = at::zeros({term.stack.outputs(), term.stack.inputs()}, at::kDouble);
  term.stack.for_each([&](const JacobianStack::Part& part) {
    check_interrupt();
    mean += (double_on_cpu(part.blocks) / term.scale * part.weights).sum(0);
  });
  const auto [u, s, v] = at::linalg_svd(mean, /*full_matrices=*/true);
  return {u.t().contiguous(), v.contiguous()};
}

/// Rotation with a large Σ w z⁴ over the rows of one-sided terms, by the power method from `start`:
/// P ← polar(Σ w z³ hᵀ), which never lowers it.
/// `rows`: of a size near one. The objective Quartimax computes in float64 and without weights, so
/// that its sums are rounded otherwise.
at::Tensor quartimax(const std::vector<JacobianRows>& rows, const at::Tensor& start) {
  at::Tensor point = start;
  double before = 0;
  for (int iteration = 0; iteration < 50; ++iteration) {
    at::Tensor slope = at::zeros_like(point);
    double value = 0;
    for (const JacobianRows& part : rows) {
      check_interrupt();
      const at::Tensor z =
          part.rows.matmul(point.t().to(part.rows.device(), part.rows.scalar_type()));
      const at::Tensor cubes = z.pow(3) * part.weights.to(z.device(), z.scalar_type()).unsqueeze(1);
      value += (cubes * z).sum().item<double>();
      slope += double_on_cpu(cubes.t().matmul(part.rows));
    }
    if (!(value > before * (1 + 1e-6))) break;
    before = value;
    point = canonical_polar(slope).rotation;
  }
  return point;
}

/// P for which the rows of one matrix become triangular; the rows with the largest weights get the
/// fewest entries. Such a P exists for every matrix.
at::Tensor triangular(const JacobianTerm& term) {
  at::Tensor result;
  term.stack.for_each([&](const JacobianStack::Part& part) {
    const JacobianRows given = rows_of(term, part);
    const at::Tensor rows = double_on_cpu(given.rows) / term.scale;
    const at::Tensor order = (rows.square().sum(1) * given.weights.square()).argsort(0, true);
    // Aᵀ = Q R, so that A Q = Rᵀ is lower triangular: P = Qᵀ.
    result = std::get<0>(at::linalg_qr(rows.index_select(0, order).t(), "complete")).t();
  });
  return result.contiguous();
}

}  // namespace

std::vector<Guess> jacobian_guesses(const JacobianTerms& all) {
  const at::NoGradGuard no_grad;
  at::Tensor mean = at::zeros({all.dimension, all.dimension}, at::kDouble);
  std::vector<bool> known(all.sizes.size(), false);
  for (const JacobianTerm& term : all.terms) {
    const bool right = term.right >= 0 && !known[static_cast<std::size_t>(term.right)];
    const bool left = term.left >= 0 && !known[static_cast<std::size_t>(term.left)];
    if (!right && !left) continue;
    const Sides sides = sides_of_mean(term);
    const auto put = [&](std::int64_t block, const at::Tensor& rotation) {
      all.block(mean, block).copy_(rotation);
      known[static_cast<std::size_t>(block)] = true;
    };
    if (right) put(term.right, sides.right);
    // If the next layer rotates the same tap, the singular vectors of the next layer are used.
    const bool again =
        std::any_of(all.terms.begin(), all.terms.end(),
                    [&](const JacobianTerm& other) { return other.right == term.left; });
    if (left && !again) put(term.left, sides.left);
  }
  std::vector<Guess> guesses{{"identity", at::eye(all.dimension, at::kDouble)},
                             {"mean Jacobian", mean}};
  // Quartimax for a single rotation, over some samples: it is only a starting point.
  if (all.sizes.size() == 1 && all.dimension > 1) {
    std::vector<JacobianRows> rows;
    std::int64_t count = 0;
    constexpr std::int64_t enough = 20000;
    for (const JacobianTerm& term : all.terms) {
      if (term.constant()) continue;
      term.stack.first(std::max<std::int64_t>(1, enough / term.stack.outputs()))
          .for_each([&](const JacobianStack::Part& part) {
            if (count >= 2 * enough) return;
            rows.push_back(rows_of(term, part));
            rows.back().rows = rows.back().rows / term.scale;
            count += rows.back().rows.size(0);
          });
    }
    guesses.push_back({"quartimax", quartimax(rows, mean)});
    const auto one = std::find_if(all.terms.begin(), all.terms.end(),
                                  [](const JacobianTerm& term) { return term.single(); });
    if (one != all.terms.end()) guesses.push_back({"triangular", triangular(*one)});
  }
  return guesses;
}

}  // namespace descramble
