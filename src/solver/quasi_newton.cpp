#include "solver/quasi_newton.h"

#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/linalg_inv.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros_like.h>

#include "solver/line_search.h"

namespace descramble {

namespace {

double frobenius(const at::Tensor& a, const at::Tensor& b) {
  return a.flatten().dot(b.flatten()).item<double>();
}

/// K = (I − S/2)⁻¹, from which cayley(S) = 2K − I, and its derivative dP Pᵀ = K dS Kᵀ.
at::Tensor cayley_factor(const at::Tensor& skew) {
  return at::linalg_inv(at::eye(skew.size(0), skew.options()) - 0.5 * skew);
}

Place evaluated(Descent& descent, const at::Tensor& point) {
  const Evaluation evaluation = descent.evaluate(point);
  Place place{.point = point, .value = evaluation.value, .gradient = evaluation.gradient};
  if (std::isfinite(place.value)) place.slope = lie_gradient(place.gradient, point);
  return place;
}

class Memory {
 public:
  explicit Memory(std::int64_t size) : size_(static_cast<std::size_t>(size)) {}

  void clear() { pairs_.clear(); }
  bool empty() const { return pairs_.empty(); }

  void add(const at::Tensor& step, const at::Tensor& change) {
    const double product = frobenius(step, change);
    const double norm = frobenius(change, change);
    if (!(product > 1e-14 * std::sqrt(norm * frobenius(step, step)))) return;
    scale_ = product / norm;
    if (size_ == 0) return;
    if (pairs_.size() == size_) pairs_.pop_front();
    pairs_.push_back({step, change, 1 / product});
  }

  /// −H g.
  at::Tensor direction(const at::Tensor& gradient) const {
    at::Tensor q = -gradient;
    std::vector<double> alpha(pairs_.size());
    for (std::size_t i = pairs_.size(); i-- > 0;) {
      alpha[i] = pairs_[i].rho * frobenius(pairs_[i].step, q);
      q.sub_(pairs_[i].change, alpha[i]);
    }
    q.mul_(scale_);
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const double beta = pairs_[i].rho * frobenius(pairs_[i].change, q);
      q.add_(pairs_[i].step, alpha[i] - beta);
    }
    return q;
  }

  void set_scale(double scale) { scale_ = scale; }

 private:
  struct Pair {
    at::Tensor step;
    at::Tensor change;
    double rho;
  };
  std::size_t size_;
  std::deque<Pair> pairs_{};
  double scale_ = 1;
};

}  // namespace

Place GroupSpace::place(Descent& descent, const at::Tensor& start) {
  return evaluated(descent, start);
}

Moved GroupSpace::move(Descent& descent, const Place& from, const at::Tensor& direction, double t) {
  const at::Tensor factor = cayley_factor(t * direction);
  Moved moved{evaluated(descent, 2 * factor.matmul(from.point) - from.point)};
  if (std::isfinite(moved.place.value))
    moved.slope = frobenius(factor.t().matmul(moved.place.slope).matmul(factor), direction);
  return moved;
}

Place StaticCayleySpace::at_coordinates(Descent& descent, const at::Tensor& base,
                                        const at::Tensor& skew, at::Tensor& factor) {
  factor = cayley_factor(skew);
  Place place = evaluated(descent, 2 * factor.matmul(base) - base);
  place.coordinates = skew;
  if (std::isfinite(place.value)) place.slope = factor.t().matmul(place.slope).matmul(factor);
  return place;
}

Place StaticCayleySpace::place(Descent& descent, const at::Tensor& start) {
  base_ = start;
  at::Tensor factor;
  return at_coordinates(descent, base_, at::zeros_like(start), factor);
}

Moved StaticCayleySpace::move(Descent& descent, const Place& from, const at::Tensor& direction,
                              double t) {
  at::Tensor factor;
  Moved moved{at_coordinates(descent, base_, from.coordinates + t * direction, factor)};
  if (std::isfinite(moved.place.value)) moved.slope = frobenius(moved.place.slope, direction);
  return moved;
}

std::string quasi_newton(Space& space, std::int64_t history, Descent& descent,
                         const at::Tensor& start) {
  Place here = space.place(descent, start);
  if (!std::isfinite(here.value)) return "line_search";
  Memory memory(history);
  // First trial: a step that turns by about a tenth of a radian in the largest entry.
  const auto unit = [](const at::Tensor& slope) {
    const double largest = slope.abs().max().item<double>();
    return largest > 0 ? 0.1 / largest : 1.0;
  };
  bool fresh = true;
  memory.set_scale(unit(here.slope));
  bool more = descent.step(here.value);
  while (true) {
    if (descent.is_critical(here.slope, here.gradient)) return "converged";
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
        return Trial{t, last.place.value, last.slope};
      };
      found = strong_wolfe(at, {0, here.value, slope}, 1.0);
    }
    if (!found || (found->value >= here.value && fresh && found->step == 0)) {
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
    more = descent.step(here.value);
  }
}

}  // namespace descramble
