#include "solver/line_search.h"

#include <algorithm>
#include <cmath>

namespace descramble {

namespace {

/// The minimum of the cubic through two values and slopes, kept inside the bracket and off its
/// ends.
double interpolated(const Trial& a, const Trial& b) {
  const double low = std::min(a.step, b.step);
  const double width = std::abs(b.step - a.step);
  double step = low + width / 2;
  if (std::isfinite(a.value) && std::isfinite(b.value)) {
    const double d1 = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step);
    const double under = d1 * d1 - a.slope * b.slope;
    if (under >= 0) {
      const double d2 = std::copysign(std::sqrt(under), b.step - a.step);
      const double cubic =
          b.step - (b.step - a.step) * (b.slope + d2 - d1) / (b.slope - a.slope + 2 * d2);
      if (std::isfinite(cubic)) step = cubic;
    }
  }
  return std::clamp(step, low + 0.05 * width, low + 0.95 * width);
}

}  // namespace

std::optional<Trial> strong_wolfe(const std::function<Trial(double)>& at, const Trial& origin,
                                  double first, const LineSearchOptions& options) {
  const double rounding = options.rounding * std::abs(origin.value);
  const auto decreases = [&](const Trial& trial) {
    return trial.value <= origin.value + rounding + options.decrease * trial.step * origin.slope;
  };
  const auto accepted = [&](const Trial& trial) {
    if (!std::isfinite(trial.value)) return false;
    if (decreases(trial) && std::abs(trial.slope) <= -options.curvature * origin.slope) return true;
    return trial.value <= origin.value + rounding &&
           trial.slope >= options.curvature * origin.slope &&
           trial.slope <= (2 * options.decrease - 1) * origin.slope;
  };
  std::optional<Trial> best;
  int evaluations = 0;
  const auto evaluate = [&](double step) {
    ++evaluations;
    Trial trial = at(step);
    if (std::isfinite(trial.value) && trial.value < origin.value &&
        (!best || trial.value < best->value)) {
      best = trial;
    }
    return trial;
  };

  // Bracket: `low` has the smaller value of the two and a slope that points into the bracket.
  Trial low = origin;
  Trial high = origin;
  bool bracketed = false;
  double step = first;
  while (!bracketed && evaluations < options.evaluations) {
    const Trial trial = evaluate(step);
    if (accepted(trial)) return trial;
    if (!std::isfinite(trial.value) || !decreases(trial) ||
        (low.step > 0 && trial.value >= low.value + rounding)) {
      high = trial;
      bracketed = true;
    } else if (trial.slope >= 0) {
      high = low;
      low = trial;
      bracketed = true;
    } else {
      low = trial;
      step *= 3;
    }
  }
  while (bracketed && evaluations < options.evaluations) {
    if (std::abs(high.step - low.step) <= 1e-16 * std::max(low.step, high.step)) break;
    const Trial trial = evaluate(interpolated(low, high));
    if (accepted(trial)) return trial;
    if (!std::isfinite(trial.value) || !decreases(trial) || trial.value >= low.value + rounding) {
      high = trial;
    } else {
      if (trial.slope * (high.step - low.step) >= 0) high = low;
      low = trial;
    }
  }
  return best;
}

}  // namespace descramble
