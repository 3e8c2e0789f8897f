#include "solver/quasi_newton.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_inv.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "solver/line_search.h"

namespace descramble {

namespace {

double frobenius(const at::Tensor& a, const at::Tensor& b) {
  return a.flatten().dot(b.flatten()).item<double>();
}

/// K = (I − S/2)⁻¹, from which cayley(S) = 2K − I, and its derivative dP Pᵀ = K dS Kᵀ.
at::Tensor cayley_factor(const at::Tensor& skew, const std::vector<std::int64_t>& blocks) {
  return blockwise(skew, blocks, [](const at::Tensor& block) {
    return at::linalg_inv(at::eye(block.size(0), block.options()) - 0.5 * block);
  });
}

/// The pairs (s, y) of steps and gradient changes, and −H g of the two-loop recursion. All inner
/// products that it needs come from one product with the matrix of all pairs, and the result from
/// another: two passes over the memory instead of four vector operations a pair.
class Memory {
 public:
  explicit Memory(std::int64_t size) : size_(size) {}

  void clear() {
    count_ = next_ = 0;
    stale_.clear();
  }
  void set_scale(double scale) { scale_ = scale; }

  void add(const at::Tensor& step, const at::Tensor& change) {
    const double product = frobenius(step, change);
    const double norm = frobenius(change, change);
    if (!(product > 1e-14 * std::sqrt(norm * frobenius(step, step)))) return;
    scale_ = product / norm;
    if (size_ == 0) return;
    if (!rows_.defined()) {
      rows_ = at::zeros({2 * size_, step.numel()}, step.options());
      products_.assign(static_cast<std::size_t>(4 * size_ * size_), 0.0);
    }
    rows_.select(0, next_).copy_(step.flatten());
    rows_.select(0, size_ + next_).copy_(change.flatten());
    stale_.push_back(next_);
    next_ = (next_ + 1) % size_;
    count_ = std::min(count_ + 1, size_);
  }

  /// −H g.
  at::Tensor direction(const at::Tensor& gradient) {
    if (count_ == 0) return -scale_ * gradient;
    const std::vector<double> along = refresh(gradient);
    std::vector<double> of_steps(static_cast<std::size_t>(size_), 0.0);
    std::vector<double> of_changes(static_cast<std::size_t>(size_), 0.0);
    // First loop, newest to oldest: q = −g − Σ αⱼ yⱼ.
    std::vector<double> alpha(static_cast<std::size_t>(size_), 0.0);
    for (std::int64_t age = 0; age < count_; ++age) {
      const std::int64_t i = slot(age);
      double inner = -along[index(i)];
      for (std::int64_t newer = 0; newer < age; ++newer)
        inner -= alpha[index(slot(newer))] * product(i, size_ + slot(newer));
      alpha[index(i)] = inner / product(i, size_ + i);
    }
    // Second loop, oldest to newest: r = γ q + Σ (αⱼ − βⱼ) sⱼ.
    for (std::int64_t age = count_ - 1; age >= 0; --age) {
      const std::int64_t i = slot(age);
      double inner = -along[index(size_ + i)];
      for (std::int64_t other = 0; other < count_; ++other)
        inner -= alpha[index(slot(other))] * product(size_ + i, size_ + slot(other));
      inner *= scale_;
      for (std::int64_t older = count_ - 1; older > age; --older)
        inner += of_steps[index(slot(older))] * product(slot(older), size_ + i);
      of_steps[index(i)] = alpha[index(i)] - inner / product(i, size_ + i);
      of_changes[index(i)] = -scale_ * alpha[index(i)];
    }
    at::Tensor coefficients = at::zeros({2 * size_}, gradient.options());
    double* value = coefficients.data_ptr<double>();
    std::copy(of_steps.begin(), of_steps.end(), value);
    std::copy(of_changes.begin(), of_changes.end(), value + size_);
    return (rows_.t().mv(coefficients)).view(gradient.sizes()) - scale_ * gradient;
  }

 private:
  static std::size_t index(std::int64_t i) { return static_cast<std::size_t>(i); }
  /// Where the pair of that age is; 0 is the newest.
  std::int64_t slot(std::int64_t age) const { return (next_ - 1 - age + 2 * size_) % size_; }
  double& product(std::int64_t a, std::int64_t b) { return products_[index(a * 2 * size_ + b)]; }

  /// Inner products of all rows with the gradient; those with the rows that are new are kept.
  std::vector<double> refresh(const at::Tensor& gradient) {
    std::vector<at::Tensor> columns{gradient.flatten()};
    std::vector<std::int64_t> of;
    for (const std::int64_t pair : stale_) {
      of.push_back(pair);
      of.push_back(size_ + pair);
    }
    for (const std::int64_t row : of) columns.push_back(rows_.select(0, row));
    stale_.clear();
    const at::Tensor inner = at::stack(columns).matmul(rows_.t()).contiguous();
    const double* value = inner.data_ptr<double>();
    for (std::size_t k = 0; k < of.size(); ++k) {
      for (std::int64_t row = 0; row < 2 * size_; ++row) {
        const double one = value[static_cast<std::int64_t>(k + 1) * 2 * size_ + row];
        product(of[k], row) = one;
        product(row, of[k]) = one;
      }
    }
    return {value, value + 2 * size_};
  }

  std::int64_t size_;
  std::int64_t count_ = 0;
  std::int64_t next_ = 0;
  at::Tensor rows_{};  // the steps, then the gradient changes
  std::vector<double> products_{};
  std::vector<std::int64_t> stale_{};
  double scale_ = 1;
};

}  // namespace

Place Space::evaluated(Descent& descent, const at::Tensor& point) const {
  const Evaluation evaluation = descent.evaluate(point);
  Place place{.point = point, .value = evaluation.value, .scaled = evaluation.value / unit_};
  if (!std::isfinite(place.value)) return place;
  place.gradient = evaluation.gradient / unit_;
  place.slope = place.along = lie_gradient(place.gradient, point);
  return place;
}

Place GroupSpace::place(Descent& descent, const at::Tensor& start) {
  return evaluated(descent, start);
}

Moved GroupSpace::move(Descent& descent, const Place& from, const at::Tensor& direction, double t) {
  const at::Tensor factor = cayley_factor(t * direction, descent.objective().blocks());
  Moved moved{evaluated(descent, 2 * factor.matmul(from.point) - from.point)};
  if (std::isfinite(moved.place.value))
    moved.slope = frobenius(factor.t().matmul(moved.place.slope).matmul(factor), direction);
  return moved;
}

Place StaticCayleySpace::at_coordinates(Descent& descent, const at::Tensor& skew,
                                        at::Tensor& factor) const {
  factor = cayley_factor(skew, descent.objective().blocks());
  Place place = evaluated(descent, 2 * factor.matmul(base_) - base_);
  place.coordinates = skew;
  if (std::isfinite(place.value)) place.slope = factor.t().matmul(place.slope).matmul(factor);
  return place;
}

Place StaticCayleySpace::place(Descent& descent, const at::Tensor& start) {
  base_ = start;
  at::Tensor factor;
  return at_coordinates(descent, at::zeros_like(start), factor);
}

Moved StaticCayleySpace::move(Descent& descent, const Place& from, const at::Tensor& direction,
                              double t) {
  at::Tensor factor;
  Moved moved{at_coordinates(descent, from.coordinates + t * direction, factor)};
  if (std::isfinite(moved.place.value)) moved.slope = frobenius(moved.place.slope, direction);
  return moved;
}

std::string quasi_newton(Space& space, std::int64_t history, Descent& descent,
                         const at::Tensor& start) {
  Place here = space.place(descent, start);
  if (!std::isfinite(here.value)) return "line_search";
  if (const double largest = here.gradient.abs().max().item<double>(); largest > 0) {
    here.scaled /= largest;
    for (at::Tensor* part : {&here.gradient, &here.slope, &here.along}) *part = *part / largest;
    space.set_unit(largest);
  }
  Memory memory(std::min(history, descent.left()));  // no more pairs than there are iterations
  // First trial: a step that turns by about a tenth of a radian in the largest entry.
  const auto unit = [](const at::Tensor& slope) {
    const double largest = slope.abs().max().item<double>();
    return largest > 0 ? 0.1 / largest : 1.0;
  };
  bool fresh = true;
  memory.set_scale(unit(here.slope));
  bool more = descent.step(here.value);
  while (true) {
    if (descent.is_critical(here.along, here.gradient)) return "converged";
    if (!more) return descent.interrupted() ? "interrupted" : "max_iterations";
    const at::Tensor direction = memory.direction(here.slope);
    const double slope = frobenius(here.slope, direction);
    std::optional<Trial> found;
    Moved last;
    double last_step = -1;
    if (slope < 0) {
      const auto at = [&](double t) {
        last = space.move(descent, here, direction, t);
        last_step = t;
        return Trial{t, last.place.scaled, last.slope};
      };
      found = strong_wolfe(at, {0, here.scaled, slope}, 1.0,
                           {.rounding = descent.objective().rounding()});
    }
    if (!found) {
      if (fresh) return "line_search";
      memory.clear();
      memory.set_scale(unit(here.slope));
      fresh = true;
      continue;
    }
    if (found->step != last_step) last = space.move(descent, here, direction, found->step);
    memory.add(found->step * direction, last.place.slope - here.slope);
    fresh = false;
    here = std::move(last.place);
    descent.set_end(here.point);
    more = descent.step(here.value);
  }
}

}  // namespace descramble
