#pragma once

#include <functional>
#include <optional>

namespace descramble {

/// A step length tried along a descent direction: φ(t) = f(P(t)) and φ′(t).
struct Trial {
  double step = 0;
  double value = 0;
  double slope = 0;
};

struct LineSearchOptions {
  double decrease = 1e-4;  ///< c₁: φ(t) ≤ φ(0) + c₁ t φ′(0)
  double curvature = 0.9;  ///< c₂: |φ′(t)| ≤ c₂ |φ′(0)|
  int evaluations = 30;
  double rounding = 1e-14;  ///< relative error of φ
};

/// A step that satisfies the strong Wolfe conditions: bracketing and zoom with cubic interpolation
/// (Nocedal and Wright, Numerical Optimization, algorithms 3.5 and 3.6). Near a minimum, where
/// rounding hides the decrease, the approximate Wolfe conditions of Hager and Zhang (SIAM J. Optim.
/// 16 (2005) 170, eq. 4.1 and 4.2) are accepted, which use slopes instead. `at(t)` evaluates; an
/// infinite value means that the step is too long. Values that differ by less than their rounding
/// count as equal. If no such step is found, the result is the best trial that lowers the value, or
/// nothing.
std::optional<Trial> strong_wolfe(const std::function<Trial(double)>& at, const Trial& origin,
                                  double first, const LineSearchOptions& options = {});

}  // namespace descramble
