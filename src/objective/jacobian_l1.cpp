#include "descramble/objective/jacobian_l1.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/basis/orthogonal.h"
#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"

namespace descramble {

namespace {

/// The rows that a one-sided term turns, and the weight of each.
struct Rows {
  at::Tensor rows{};     ///< [R, d]
  at::Tensor weights{};  ///< [R], float64
  double weight = -1;    ///< of every row, where it is the same one
};

/// One layer of the chain: which of the point's blocks turn its two sides; −1: the identity.
struct Term {
  JacobianStack stack;
  std::int64_t left = -1;    ///< of the outputs
  std::int64_t right = -1;   ///< of the inputs
  double places = 0;         ///< entries of a sample's Jacobian; with positions, of all its blocks
  double scale = 0;          ///< root mean square of them
  double fixed = 0;          ///< Σ |J| of a constant term, which is summed once
  std::vector<Rows> rows{};  ///< of a one-sided term whose stack is kept

  bool two_sided() const { return left >= 0 && right >= 0; }
  bool constant() const { return left < 0 && right < 0; }
  /// Nothing but one matrix is turned, whatever the number of samples.
  bool single() const {
    const auto one = static_cast<double>(stack.inputs() * stack.outputs());
    return !two_sided() && !constant() &&
           (stack.is_collapsed() || (stack.samples() == 1 && places == one));
  }
};

Rows rows_of(const Term& term, const JacobianStack::Part& part) {
  const bool outputs = term.left >= 0;  // the rows are columns of J then
  const at::Tensor blocks = outputs ? part.blocks.transpose(1, 2) : part.blocks;
  const at::Tensor weights = outputs ? part.weights.transpose(1, 2) : part.weights;
  return {blocks.reshape({-1, blocks.size(2)}),
          weights.expand({blocks.size(0), blocks.size(1), 1}).reshape({-1})};
}

/// Without the rows that are all zero (outputs that a mask has switched off): they add nothing.
Rows without_zeros(const Rows& given) {
  const at::Tensor there =
      given.rows.ne(0).any(1).logical_and(given.weights.ne(0).to(given.rows.device()));
  Rows result = given;
  if (!there.all().item<bool>()) {
    const at::Tensor kept = there.nonzero().flatten();
    result.rows = given.rows.index_select(0, kept);
    result.weights = given.weights.index_select(0, kept.to(at::kCPU));
  }
  if (result.weights.numel() > 0) {
    const double first = result.weights[0].item<double>();
    if (result.weights.eq(first).all().item<bool>()) result.weight = first;
  }
  return result;
}

/// Rows of a stack that is kept.
std::vector<Rows> all_rows(const Term& term) {
  std::vector<Rows> rows;
  term.stack.for_each(
      [&](const JacobianStack::Part& part) { rows.push_back(without_zeros(rows_of(term, part))); });
  return rows;
}

void for_each_rows(const Term& term, const std::function<void(const Rows& rows)>& visit) {
  if (!term.rows.empty()) {
    for (const Rows& rows : term.rows) visit(rows);
    return;
  }
  term.stack.for_each(
      [&](const JacobianStack::Part& part) { visit(without_zeros(rows_of(term, part))); });
}

struct Sums {
  double value = 0;  ///< of the smoothed function
  double sharp = 0;
};

/// Σ_r w_r Σ_j φ(z_rj); `z` becomes w_r φ′(z_rj) where a gradient is asked for.
/// One `weight` for all rows (≥ 0) is left to the caller.
Sums absolute_sums(at::Tensor& z, const at::Tensor& weights, double weight, double epsilon,
                   bool with_gradient) {
  const auto weighed = [&](const at::Tensor& each) {
    return each.sum(1).to(at::kCPU, at::kDouble).dot(weights).item<double>();
  };
  Sums sums;
  sums.sharp = sums.value = weighed(z.abs());
  if (epsilon > 0) {
    const at::Tensor root = z.square().add_(epsilon * epsilon).sqrt_();
    // Entry by entry: the sum of all ε would swallow what is left.
    sums.value = weighed(root - epsilon);
    if (with_gradient) z.div_(root);
  } else if (with_gradient) {
    z.sign_();
  }
  if (with_gradient && weight < 0) z.mul_(weights.to(z.device(), z.scalar_type()).unsqueeze(1));
  return sums;
}

at::Tensor double_on_cpu(const at::Tensor& a) {
  return a.to(at::kCPU, at::kDouble);
}

}  // namespace

struct JacobianL1::Terms {
  std::vector<Term> terms{};
  std::vector<std::string> taps{};    ///< learned ones
  std::vector<std::int64_t> sizes{};  ///< of their rotations
  std::vector<std::int64_t> offsets{};
  std::int64_t dimension = 0;

  at::Tensor block(const at::Tensor& point, std::int64_t i) const {
    const auto at = static_cast<std::size_t>(i);
    return point.narrow(0, offsets[at], sizes[at]).narrow(1, offsets[at], sizes[at]);
  }
};

namespace {

/// Entries of a Jacobian, and the sum of their squares, both means over samples.
struct Size {
  double places = 0;
  double squares = 0;
};

Size size_of(const JacobianStack& stack) {
  Size size;
  stack.for_each([&](const JacobianStack::Part& part) {
    check_interrupt();
    const at::Tensor rows = part.blocks.to(at::kCPU, at::kDouble).square();
    size.squares += (rows * part.weights).sum().item<double>();
    size.places += part.weights.sum().item<double>();
  });
  const double one = static_cast<double>(stack.outputs() * stack.inputs());
  // Rates in place of samples: the entries that a mask has switched off are entries still.
  size.places = stack.is_collapsed() ? one : size.places * one;
  return size;
}

/// Σ |J| of a term that nothing turns.
double fixed_sum(const Term& term) {
  double sum = 0;
  term.stack.for_each([&](const JacobianStack::Part& part) {
    sum += (part.blocks.to(at::kCPU, at::kDouble).abs() * part.weights).sum().item<double>();
  });
  return sum;
}

/// A collapse holds for a sum over the side that its rates belong to, with the other side turned.
void require_side(const Term& term, const std::string& where) {
  const auto side = term.stack.collapsed_side();
  if (!side || term.constant()) return;
  const bool turns_outputs = term.left >= 0;
  if (!term.two_sided() && turns_outputs == (*side == JacobianStack::Side::inputs)) return;
  throw Error({"a collapsed stack serves one side", where,
               fmt::format("the rotation of its {} alone",
                           *side == JacobianStack::Side::inputs ? "outputs" : "inputs"),
               term.two_sided() ? "both" : "the other one"});
}

}  // namespace

JacobianL1::JacobianL1(const JacobianChain& chain, const std::vector<bool>& learned) {
  auto terms = std::make_shared<Terms>();
  if (chain.layers.empty() || chain.taps.size() != chain.layers.size() + 1 ||
      learned.size() != chain.taps.size()) {
    throw Error({"no chain of Jacobians", "", "n + 1 taps for n layers, each learned or not",
                 fmt::format("{} taps, {} layers", chain.taps.size(), chain.layers.size())});
  }
  std::vector<std::int64_t> index(chain.taps.size(), -1);
  for (std::size_t i = 0; i < chain.taps.size(); ++i) {
    const std::int64_t size =
        i < chain.layers.size() ? chain.layers[i].inputs() : chain.layers.back().outputs();
    if (i > 0 && i < chain.layers.size() && chain.layers[i - 1].outputs() != size) {
      throw Error({"layers of a chain do not fit", "tap '" + chain.taps[i] + "'",
                   fmt::format("{} inputs behind it", chain.layers[i - 1].outputs()),
                   fmt::format("{}", size)});
    }
    if (!learned[i]) continue;
    index[i] = static_cast<std::int64_t>(terms->taps.size());
    terms->taps.push_back(chain.taps[i]);
    terms->sizes.push_back(size);
    terms->offsets.push_back(terms->dimension);
    terms->dimension += size;
  }
  if (terms->taps.empty())
    throw Error({"nothing to learn", "", "at least one of the taps", "none"});
  for (std::size_t i = 0; i < chain.layers.size(); ++i) {
    const std::string where = fmt::format("taps '{}' to '{}'", chain.taps[i], chain.taps[i + 1]);
    const Size size = size_of(chain.layers[i]);
    if (!std::isfinite(size.squares))
      throw Error({"Jacobians are not finite", where, "finite numbers", "NaN or infinity"});
    if (!(size.squares > 0))
      throw Error({"all Jacobians are zero", where, "one entry that is not", "none"});
    terms->terms.push_back({.stack = chain.layers[i],
                            .left = index[i + 1],
                            .right = index[i],
                            .places = size.places,
                            .scale = std::sqrt(size.squares / size.places)});
    Term& term = terms->terms.back();
    require_side(term, where);
    if (term.constant()) {
      term.fixed = fixed_sum(term);
    } else if (!term.two_sided() && term.stack.kept()) {
      term.rows = all_rows(term);
    }
  }
  terms_ = std::move(terms);
}

JacobianL1::JacobianL1(std::shared_ptr<const Terms> terms, double epsilon)
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
  for (const Term& term : terms_->terms) samples = std::max(samples, term.stack.samples());
  return samples;
}
double JacobianL1::cost() const {
  double cost = 0;
  for (const Term& term : terms_->terms) {
    if (term.constant()) continue;
    const auto samples = static_cast<double>(term.stack.is_collapsed() ? 1 : term.stack.samples());
    cost += samples * static_cast<double>(term.stack.outputs() * term.stack.inputs());
  }
  return cost;
}

double JacobianL1::rounding() const {
  // Single precision: 6e-8 an entry, less of a sum, and the solver may be generous.
  const bool coarse = std::any_of(terms_->terms.begin(), terms_->terms.end(), [](const Term& term) {
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
  auto fewer = std::make_shared<Terms>(*terms_);
  bool any = false;
  for (Term& term : fewer->terms) {
    if (term.constant() || term.stack.is_collapsed() || term.stack.samples() <= samples) continue;
    term.stack = term.stack.first(samples);
    if (!term.rows.empty()) term.rows = all_rows(term);
    any = true;
  }
  if (!any) return nullptr;
  return std::unique_ptr<Objective>(new JacobianL1(std::move(fewer), epsilon_));
}

Evaluation JacobianL1::sums(const at::Tensor& rotation, bool with_gradient) const {
  require_rotation_size(rotation, *this);
  const at::NoGradGuard no_grad;
  const at::Tensor point = double_on_cpu(rotation.detach());
  Evaluation result;
  double sharp = 0;
  at::Tensor gradient =
      with_gradient ? at::zeros({dimension(), dimension()}, at::kDouble) : at::Tensor();
  const auto add = [&](const Sums& sums) {
    result.value += sums.value;
    sharp += sums.sharp;
  };
  for (const Term& term : terms_->terms) {
    if (term.constant()) {
      add({term.fixed, term.fixed});
      continue;
    }
    const double epsilon = epsilon_ * term.scale;
    const auto factor = [&](std::int64_t block, const at::Tensor& like) {
      return terms_->block(point, block).to(like.device(), like.scalar_type());
    };
    const auto give = [&](std::int64_t block, const at::Tensor& part) {
      terms_->block(gradient, block).add_(double_on_cpu(part));
    };
    if (!term.two_sided()) {
      const std::int64_t block = std::max(term.left, term.right);
      for_each_rows(term, [&](const Rows& given) {
        if (given.rows.size(0) == 0) return;
        at::Tensor z = given.rows.matmul(factor(block, given.rows).t());
        add(absolute_sums(z, given.weights, given.weight, epsilon, with_gradient));
        if (!with_gradient) return;
        const at::Tensor slope = z.t().matmul(given.rows);
        give(block, given.weight < 0 ? slope : slope * given.weight);
      });
      continue;
    }
    term.stack.for_each([&](const JacobianStack::Part& part) {
      // Z = Q (J Pᵀ), all samples side by side: [o, K·h].
      const std::int64_t k = part.blocks.size(0);
      const std::int64_t o = part.blocks.size(1);
      const std::int64_t h = part.blocks.size(2);
      const at::Tensor rows = part.blocks.reshape({k * o, h});
      const at::Tensor right = factor(term.right, rows);
      const at::Tensor left = factor(term.left, rows);
      const at::Tensor turned =
          rows.matmul(right.t()).view({k, o, h}).transpose(0, 1).reshape({o, k * h});
      // A row for each output and sample: [o·K, h].
      at::Tensor z = left.matmul(turned).view({o * k, h});
      const at::Tensor weights = part.weights.view({1, k}).expand({o, k}).reshape({-1});
      add(absolute_sums(z, weights, -1, epsilon, with_gradient));
      if (!with_gradient) return;
      const at::Tensor slope = z.view({o, k * h});
      give(term.left, slope.matmul(turned.t()));
      const at::Tensor back =
          left.t().matmul(slope).view({o, k, h}).transpose(0, 1).reshape({k * o, h});
      give(term.right, back.t().matmul(rows));
    });
  }
  if (epsilon_ > 0) result.sharp = sharp;
  result.gradient = gradient;
  return result;
}

std::optional<double> JacobianL1::lower_bound(const at::Tensor& /*found*/) const {
  double bound = 0;
  for (const Term& term : terms_->terms) {
    if (term.constant()) {
      bound += term.fixed;
      continue;
    }
    term.stack.for_each([&](const JacobianStack::Part& part) {
      check_interrupt();
      if (term.two_sided()) {
        bound += at::linalg_svdvals(double_on_cpu(part.blocks))
                     .sum(1)
                     .dot(part.weights.reshape({-1}))
                     .item<double>();
        return;
      }
      const Rows given = rows_of(term, part);
      bound += double_on_cpu(given.rows).square().sum(1).sqrt().dot(given.weights).item<double>();
    });
  }
  return bound * (1 - rounding());  // values are not more exact than that
}

namespace {

/// Singular vectors of a mean Jacobian as rotations of its two sides.
struct Sides {
  at::Tensor left{};   ///< Uᵀ
  at::Tensor right{};  ///< Vᵀ
};

Sides sides_of_mean(const Term& term) {
  at::Tensor mean = at::zeros({term.stack.outputs(), term.stack.inputs()}, at::kDouble);
  term.stack.for_each([&](const JacobianStack::Part& part) {
    check_interrupt();
    mean += (double_on_cpu(part.blocks) * part.weights).sum(0);
  });
  const auto [u, s, v] = at::linalg_svd(mean, /*full_matrices=*/true);
  return {u.t().contiguous(), v.contiguous()};
}

/// Rotation with a large Σ w z⁴ over the rows of one-sided terms, by the power method from `start`:
/// P ← polar(Σ w z³ hᵀ), which never lowers it.
at::Tensor quartimax(const std::vector<Rows>& rows, const at::Tensor& start) {
  at::Tensor point = start;
  double before = 0;
  for (int iteration = 0; iteration < 50; ++iteration) {
    at::Tensor slope = at::zeros_like(point);
    double value = 0;
    for (const Rows& part : rows) {
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

/// P for which the rows of one matrix become triangular, those that weigh most with the fewest
/// entries: what can always be had.
at::Tensor triangular(const Term& term) {
  at::Tensor result;
  term.stack.for_each([&](const JacobianStack::Part& part) {
    const Rows given = rows_of(term, part);
    const at::Tensor rows = double_on_cpu(given.rows);
    const at::Tensor order = (rows.square().sum(1) * given.weights.square()).argsort(0, true);
    // Aᵀ = Q R, so that A Q = Rᵀ is lower triangular: P = Qᵀ.
    result = std::get<0>(at::linalg_qr(rows.index_select(0, order).t(), "complete")).t();
  });
  return result.contiguous();
}

}  // namespace

std::vector<Guess> JacobianL1::guesses() const {
  const at::NoGradGuard no_grad;
  const Terms& all = *terms_;
  at::Tensor mean = at::zeros({dimension(), dimension()}, at::kDouble);
  std::vector<bool> known(all.sizes.size(), false);
  for (const Term& term : all.terms) {
    const bool right = term.right >= 0 && !known[static_cast<std::size_t>(term.right)];
    const bool left = term.left >= 0 && !known[static_cast<std::size_t>(term.left)];
    if (!right && !left) continue;
    const Sides sides = sides_of_mean(term);
    const auto put = [&](std::int64_t block, const at::Tensor& rotation) {
      all.block(mean, block).copy_(rotation);
      known[static_cast<std::size_t>(block)] = true;
    };
    if (right) put(term.right, sides.right);
    // What the next layer turns, too, is turned by its singular vectors.
    const bool again = std::any_of(all.terms.begin(), all.terms.end(),
                                   [&](const Term& other) { return other.right == term.left; });
    if (left && !again) put(term.left, sides.left);
  }
  std::vector<Guess> guesses{{"identity", at::eye(dimension(), at::kDouble)},
                             {"mean Jacobian", mean}};
  // Quartimax for a single rotation, over some samples: it is a place to begin.
  if (all.sizes.size() == 1 && dimension() > 1) {
    std::vector<Rows> rows;
    std::int64_t count = 0;
    constexpr std::int64_t enough = 20000;
    for (const Term& term : all.terms) {
      if (term.constant()) continue;
      term.stack.first(std::max<std::int64_t>(1, enough / term.stack.outputs()))
          .for_each([&](const JacobianStack::Part& part) {
            if (count >= 2 * enough) return;
            rows.push_back(rows_of(term, part));
            count += rows.back().rows.size(0);
          });
    }
    guesses.push_back({"quartimax", quartimax(rows, mean)});
    for (const Term& term : all.terms) {
      if (term.single()) guesses.push_back({"triangular", triangular(term)});
      if (term.single()) break;
    }
  }
  return guesses;
}

std::vector<std::string> JacobianL1::warnings() const {
  std::vector<std::string> result;
  const std::int64_t largest = *std::max_element(terms_->sizes.begin(), terms_->sizes.end());
  for (const Term& term : terms_->terms) {
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
        "{} samples are few to identify a basis (the reference case needs 100 or more): "
        "compare the held-out value",
        samples()));
  }
  return result;
}

double JacobianL1::sparsity(double value) const {
  double equal = 0;  // the value if all entries had the same size
  for (const Term& term : terms_->terms) equal += term.places * term.scale;
  return value / equal;
}

}  // namespace descramble
