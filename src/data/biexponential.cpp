#include "descramble/data/biexponential.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "data/generated_set.h"

namespace descramble {

namespace {

constexpr std::array<double, 2> amplitudes{0.6, 0.4};
constexpr std::int64_t most_iterations = 500;

/// The value, half its gradient and half its second derivatives, the latter without and with the
/// curvature of the decays.
struct Quadratic {
  double value = 0;
  std::array<double, 2> gradient{};
  double a00 = 0;
  double a01 = 0;
  double a11 = 0;
  double curved00 = 0;
  double curved11 = 0;

  /// The step to the minimum of the quadratic with a damped diagonal; a held parameter stays. Where
  /// the true second derivatives are positive, they converge faster than those of Gauss and Newton:
  /// two decay times that are nearly equal leave a flat valley.
  std::array<double, 2> step(double damping, bool held0, bool held1) const {
    const double full00 = a00 + curved00;
    const double full11 = a11 + curved11;
    if (held0 && held1) return {};
    if (held0) return {0, -gradient[1] / ((full11 > 0 ? full11 : a11) * (1 + damping))};
    if (held1) return {-gradient[0] / ((full00 > 0 ? full00 : a00) * (1 + damping)), 0};
    const bool positive = full00 > 0 && full11 > 0 && full00 * full11 > a01 * a01 * (1 + 1e-6);
    const double d00 = (positive ? full00 : a00) * (1 + damping);
    const double d11 = (positive ? full11 : a11) * (1 + damping);
    const double determinant = d00 * d11 - a01 * a01;
    return {(a01 * gradient[1] - d11 * gradient[0]) / determinant,
            (a01 * gradient[0] - d00 * gradient[1]) / determinant};
  }
};

}  // namespace

BiexponentialDecay::BiexponentialDecay(std::int64_t points, double time_max)
    : times_(evenly_spaced(0, time_max, points)) {}

std::vector<double> BiexponentialDecay::at(const std::array<double, 2>& decay_times) const {
  std::vector<double> result(times_.size(), 0);
  for (std::size_t k = 0; k < 2; ++k) {
    // The times are evenly spaced: each exponential is a geometric sequence.
    const double step = times_.size() > 1 ? times_[1] : 0;
    const double ratio = std::exp(-step / decay_times[k]);
    double power = amplitudes[k];
    for (double& one : result) {
      one += power;
      power *= ratio;
    }
  }
  return result;
}

BiexponentialDecay::Fit BiexponentialDecay::fit(const std::vector<double>& data, double lambda,
                                                double low, double high,
                                                std::array<double, 2> start) const {
  const auto expand = [&](const std::array<double, 2>& p) {
    Quadratic q;
    const std::array<double, 2> ratio{std::exp(-times_[1] / p[0]), std::exp(-times_[1] / p[1])};
    std::array<double, 2> power = amplitudes;
    for (std::size_t i = 0; i < times_.size(); ++i) {
      const double residual = power[0] + power[1] - data[i];
      const double j0 = power[0] * times_[i] / (p[0] * p[0]);
      const double j1 = power[1] * times_[i] / (p[1] * p[1]);
      q.value += residual * residual;
      q.gradient[0] += residual * j0;
      q.gradient[1] += residual * j1;
      q.a00 += j0 * j0;
      q.a01 += j0 * j1;
      q.a11 += j1 * j1;
      q.curved00 += residual * j0 * (times_[i] / (p[0] * p[0]) - 2 / p[0]);
      q.curved11 += residual * j1 * (times_[i] / (p[1] * p[1]) - 2 / p[1]);
      power[0] *= ratio[0];
      power[1] *= ratio[1];
    }
    const double weight = lambda * lambda;
    q.value += weight * (p[0] * p[0] + p[1] * p[1]);
    q.gradient[0] += weight * p[0];
    q.gradient[1] += weight * p[1];
    q.a00 += weight;
    q.a11 += weight;
    return q;
  };
  const auto inside = [&](double one) { return std::clamp(one, low, high); };

  std::array<double, 2> p{inside(start[0]), inside(start[1])};
  Quadratic here = expand(p);
  double damping = 1e-3;
  Fit result;
  for (; result.iterations < most_iterations && !result.converged; ++result.iterations) {
    // A parameter at a bound that the gradient pushes outwards stays there.
    const auto held = [&](std::size_t k) {
      return (p[k] <= low && here.gradient[k] > 0) || (p[k] >= high && here.gradient[k] < 0);
    };
    const std::array<double, 2> step = here.step(damping, held(0), held(1));
    const std::array<double, 2> next{inside(p[0] + step[0]), inside(p[1] + step[1])};
    const double moved = std::max(std::abs(next[0] - p[0]), std::abs(next[1] - p[1]));
    const Quadratic there = expand(next);
    if (there.value <= here.value) {
      // A short step ends the search where the damping is not what makes it short, or where what it
      // gains is rounding.
      const double gain = here.value - there.value;
      result.converged = (moved <= 1e-9 * (high - low) && damping <= 1) ||
                         (moved <= 1e-6 * (high - low) && gain <= 1e-14 * here.value);
      p = next;
      here = there;
      damping = std::max(damping / 5, 1e-12);
    } else {
      // Near the minimum the differences of values are rounding.
      result.converged = moved <= 1e-7 * (high - low) && damping <= 1;
      damping *= 4;
      if (damping > 1e12) result.converged = true;  // no step lowers the value any further
    }
  }
  result.decay_times = p;
  result.value = here.value;
  return result;
}

}  // namespace descramble
