#include "descramble/objective/jacobian_l1.h"

#include <algorithm>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"
#include "objective/absolute_sums.h"
#include "objective/double_on_cpu.h"
#include "objective/jacobian_guesses.h"
#include "objective/jacobian_terms.h"

namespace descramble {

JacobianL1::JacobianL1(const JacobianChain& chain, const std::vector<bool>& learned)
    : terms_(jacobian_terms(chain, learned)) {}
JacobianL1::JacobianL1(std::shared_ptr<const JacobianTerms> terms, double epsilon)
    : terms_(std::move(terms)), epsilon_(epsilon) {}
JacobianL1::~JacobianL1() = default;

std::string JacobianL1::name() const {
  return fmt::format("jacobian_l1 of {}", quoted_list(terms_->taps));
}
std::int64_t JacobianL1::dimension() const {
  return terms_->dimension;
}
std::vector<std::int64_t> JacobianL1::blocks() const {
  return terms_->sizes;
}
const std::vector<std::string>& JacobianL1::taps() const {
  return terms_->taps;
}
std::int64_t JacobianL1::samples() const {
  std::int64_t samples = 0;
  for (const JacobianTerm& term : terms_->terms) samples = std::max(samples, term.stack.samples());
  return samples;
}
double JacobianL1::cost() const {
  double cost = 0;
  for (const JacobianTerm& term : terms_->terms) {
    if (term.constant()) continue;
    const auto samples = static_cast<double>(term.stack.is_collapsed() ? 1 : term.stack.samples());
    cost += samples * static_cast<double>(term.stack.outputs() * term.stack.inputs());
  }
  return cost;
}

double JacobianL1::rounding() const {
  // Single precision: 6e-8 per entry and less for a sum; a larger value is safe for the solver.
  const bool coarse =
      std::any_of(terms_->terms.begin(), terms_->terms.end(), [](const JacobianTerm& term) {
        return term.stack.dtype() != at::kDouble && !term.constant();
      });
  return coarse ? 1e-7 : 1e-14;
}

double JacobianL1::value(const at::Tensor& rotation) const {
  return sums(rotation, false).value;
}
at::Tensor JacobianL1::gradient(const at::Tensor& rotation) const {
  return sums(rotation, true).gradient;
}
Evaluation JacobianL1::evaluate(const at::Tensor& rotation) const {
  return sums(rotation, true);
}

std::unique_ptr<Objective> JacobianL1::smoothed(double epsilon) const {
  return std::unique_ptr<Objective>(new JacobianL1(terms_, epsilon));
}

std::unique_ptr<Objective> JacobianL1::on_fewer(std::int64_t samples) const {
  auto fewer = on_first(*terms_, samples);
  return std::unique_ptr<Objective>(fewer ? new JacobianL1(std::move(fewer), epsilon_) : nullptr);
}

Evaluation JacobianL1::sums(const at::Tensor& rotation, bool with_gradient) const {
  require_rotation_size(rotation, *this);
  const at::NoGradGuard no_grad;
  const at::Tensor point = double_on_cpu(rotation.detach());
  Evaluation result;
  double sharp = 0;
  at::Tensor gradient =
      with_gradient ? at::zeros({dimension(), dimension()}, at::kDouble) : at::Tensor();
  for (const JacobianTerm& term : terms_->terms) {
    if (term.constant()) {
      result.value += term.fixed;
      sharp += term.fixed;
      continue;
    }
    // z in units of the root mean square: squares stay in range, whatever the network's scale.
    const double unit = term.scale;
    const auto add = [&](const AbsoluteSums& sums) {
      result.value += unit * sums.value;
      sharp += unit * sums.sharp;
    };
    const auto factor = [&](std::int64_t block, const at::Tensor& like, double scale) {
      return (terms_->block(point, block) / scale).to(like.device(), like.scalar_type());
    };
    const auto give = [&](std::int64_t block, const at::Tensor& part, double scale) {
      terms_->block(gradient, block).add_(double_on_cpu(part), scale);
    };
    if (!term.two_sided()) {
      const std::int64_t block = std::max(term.left, term.right);
      for_each_rows(term, [&](const JacobianRows& given) {
        if (given.rows.size(0) == 0) return;
        if (!term.stack.kept())
          check_interrupt();                 // its Jacobians are computed again: it may be long
        const bool each = given.weight < 0;  // else one weight for all rows, at the end
        at::Tensor z = given.rows.matmul(factor(block, given.rows, unit).t());
        add(absolute_sums(z, given.weights, epsilon_, with_gradient, each));
        if (with_gradient) give(block, z.t().matmul(given.rows), each ? 1 : given.weight);
      });
      continue;
    }
    term.stack.for_each([&](const JacobianStack::Part& part) {
      if (!term.stack.kept()) check_interrupt();
      // Z = Q (J Pᵀ), all samples side by side: [o, K·h].
      const std::int64_t k = part.blocks.size(0);
      const std::int64_t o = part.blocks.size(1);
      const std::int64_t h = part.blocks.size(2);
      const at::Tensor rows = part.blocks.reshape({k * o, h});
      const at::Tensor right = factor(term.right, rows, unit);
      const at::Tensor left = factor(term.left, rows, 1);
      const at::Tensor turned =
          rows.matmul(right.t()).view({k, o, h}).transpose(0, 1).reshape({o, k * h});
      // A row for each output and sample: [o·K, h].
      at::Tensor z = left.matmul(turned).view({o * k, h});
      const at::Tensor weights = part.weights.view({1, k}).expand({o, k}).reshape({-1});
      add(absolute_sums(z, weights, epsilon_, with_gradient, true));
      if (!with_gradient) return;
      const at::Tensor slope = z.view({o, k * h});
      give(term.left, slope.matmul(turned.t()), unit);
      const at::Tensor back =
          left.t().matmul(slope).view({o, k, h}).transpose(0, 1).reshape({k * o, h});
      give(term.right, back.t().matmul(rows), 1);
    });
  }
  if (epsilon_ > 0) result.sharp = sharp;
  result.gradient = gradient;
  return result;
}

std::optional<double> JacobianL1::lower_bound(const at::Tensor& /*found*/) const {
  double bound = 0;
  for (const JacobianTerm& term : terms_->terms) {
    if (term.constant()) {
      bound += term.fixed;
      continue;
    }
    term.stack.for_each([&](const JacobianStack::Part& part) {
      check_interrupt();
      if (term.two_sided()) {
        bound += term.scale * at::linalg_svdvals(double_on_cpu(part.blocks) / term.scale)
                                  .sum(1)
                                  .dot(part.weights.reshape({-1}))
                                  .item<double>();
        return;
      }
      const JacobianRows given = rows_of(term, part);
      const at::Tensor rows = double_on_cpu(given.rows) / term.scale;
      bound += term.scale * rows.square().sum(1).sqrt().dot(given.weights).item<double>();
    });
  }
  return bound * (1 - rounding());  // values are not more exact than that
}

std::vector<Guess> JacobianL1::guesses() const {
  return jacobian_guesses(*terms_);
}

std::vector<std::string> JacobianL1::warnings() const {
  std::vector<std::string> result;
  const std::int64_t largest = *std::max_element(terms_->sizes.begin(), terms_->sizes.end());
  for (const JacobianTerm& term : terms_->terms) {
    if (!term.single() || largest == 1) continue;
    result.push_back(fmt::format(
        "from '{}' to '{}' one matrix is turned, {}: it can always be made triangular, and "
        "held-out samples do not tell what that means; compare with a network that has learned "
        "nothing",
        term.stack.from(), term.stack.to(),
        term.stack.is_collapsed() ? "which all samples share" : "that of a single sample"));
  }
  if (samples() < 100 && largest > 1 && result.empty()) {
    result.push_back(fmt::format(
        "few samples to identify a basis: {}, where the reference case needs 100 or more; what the "
        "rotation does on held-out ones tells",
        samples()));
  }
  return result;
}

double JacobianL1::sparsity(double value) const {
  double equal = 0;  // the value if all entries had the same size
  for (const JacobianTerm& term : terms_->terms) equal += term.places * term.scale;
  return value / equal;
}

}  // namespace descramble
