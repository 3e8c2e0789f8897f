#include "objective/jacobian_terms.h"

#include <cmath>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"
#include "objective/double_on_cpu.h"

namespace descramble {

namespace {

/// Without the rows that are all zero (outputs that a mask has switched off): they add nothing.
JacobianRows without_zeros(const JacobianRows& given) {
  const at::Tensor there =
      given.rows.ne(0).any(1).logical_and(given.weights.ne(0).to(given.rows.device()));
  JacobianRows result = given;
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

void for_each_of_stack(const JacobianTerm& term,
                       const std::function<void(const JacobianRows& rows)>& visit) {
  term.stack.for_each(
      [&](const JacobianStack::Part& part) { visit(without_zeros(rows_of(term, part))); });
}

std::vector<JacobianRows> all_rows(const JacobianTerm& term) {
  std::vector<JacobianRows> rows;
  for_each_of_stack(term, [&rows](const JacobianRows& one) { rows.push_back(one); });
  return rows;
}

/// Entries of a Jacobian, and the sum of their squares as factor²·squares, both means over samples.
struct Size {
  double places = 0;
  double factor = 0;
  double squares = 0;

  double root_mean_square() const { return factor * std::sqrt(squares / places); }
};

Size size_of(const JacobianStack& stack) {
  Size size;
  stack.for_each([&](const JacobianStack::Part& part) {
    check_interrupt();
    size.places += part.weights.sum().item<double>();
    if (part.blocks.numel() == 0) return;
    const at::Tensor rows = double_on_cpu(part.blocks);
    const double largest = rows.abs().max().item<double>();
    if (largest == 0) return;
    // By the largest so far: squares of numbers of any size stay in range.
    if (!(largest <= size.factor)) {
      const double less = size.factor / largest;
      size.squares *= less * less;
      size.factor = largest;
    }
    size.squares += ((rows / size.factor).square() * part.weights).sum().item<double>();
  });
  const double one = static_cast<double>(stack.outputs() * stack.inputs());
  // Rates in place of samples: the entries that a mask has switched off are entries still.
  size.places = stack.is_collapsed() ? one : size.places * one;
  return size;
}

/// The root mean square entry. @throws Error if it is zero, not finite or out of range
double scale_of(const Size& size, at::ScalarType dtype, const std::string& where) {
  const double scale = size.root_mean_square();
  if (!std::isfinite(scale))
    throw Error({"Jacobians are not finite", where, "finite numbers", "NaN or infinity"});
  if (!(scale > 0)) throw Error({"all Jacobians are zero", where, "one entry that is not", "none"});
  const double range = dtype == at::kDouble ? 1e100 : 1e30;
  if (scale > range || scale < 1 / range) {
    throw Error(
        {"Jacobians are out of range", where,
         fmt::format("a root mean square entry between {:.0e} and {:.0e}", 1 / range, range),
         fmt::format("{:.1e}", scale)});
  }
  return scale;
}

/// Σ |J| of a term that no rotation changes.
double fixed_sum(const JacobianTerm& term) {
  double sum = 0;
  term.stack.for_each([&](const JacobianStack::Part& part) {
    sum += (double_on_cpu(part.blocks).abs() * part.weights).sum().item<double>();
  });
  return sum;
}

/// A collapse is exact for a sum over the side of its rates, with only the other side rotated.
void require_side(const JacobianTerm& term, const std::string& where) {
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

JacobianRows rows_of(const JacobianTerm& term, const JacobianStack::Part& part) {
  const bool outputs = term.left >= 0;  // the rows are columns of J then
  const at::Tensor blocks = outputs ? part.blocks.transpose(1, 2) : part.blocks;
  const at::Tensor weights = outputs ? part.weights.transpose(1, 2) : part.weights;
  return {blocks.reshape({-1, blocks.size(2)}),
          weights.expand({blocks.size(0), blocks.size(1), 1}).reshape({-1})};
}

void for_each_rows(const JacobianTerm& term,
                   const std::function<void(const JacobianRows& rows)>& visit) {
  if (term.rows.empty()) return for_each_of_stack(term, visit);
  for (const JacobianRows& rows : term.rows) visit(rows);
}

std::shared_ptr<const JacobianTerms> jacobian_terms(const JacobianChain& chain,
                                                    const std::vector<bool>& learned) {
  auto terms = std::make_shared<JacobianTerms>();
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
    terms->terms.push_back({.stack = chain.layers[i],
                            .left = index[i + 1],
                            .right = index[i],
                            .places = size.places,
                            .scale = scale_of(size, chain.layers[i].dtype(), where)});
    JacobianTerm& term = terms->terms.back();
    require_side(term, where);
    if (term.constant()) {
      term.fixed = fixed_sum(term);
    } else if (!term.two_sided() && term.stack.kept()) {
      term.rows = all_rows(term);
    }
  }
  return terms;
}

std::shared_ptr<const JacobianTerms> on_first(const JacobianTerms& terms, std::int64_t samples) {
  auto fewer = std::make_shared<JacobianTerms>(terms);
  bool any = false;
  for (JacobianTerm& term : fewer->terms) {
    if (term.constant() || term.stack.is_collapsed() || term.stack.samples() <= samples) continue;
    term.stack = term.stack.first(samples);
    if (!term.rows.empty()) term.rows = all_rows(term);
    any = true;
  }
  if (!any) return nullptr;
  return fewer;
}

}  // namespace descramble
