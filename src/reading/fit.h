#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/reading/reading.h"

namespace descramble {

/// A curve through the values of a vector.
struct Fit {
  at::Tensor fitted{};  ///< [n]
  double r2 = 0;        ///< 1 − ‖y − fitted‖² / ‖y − mean‖²
  int parameters = 0;   ///< that were fitted
  std::vector<Answer> answers{};
  std::string note{};  ///< what is odd about the fit; empty: nothing
};

/// a cos(ωi) + b sin(ωi) + c, the best ω in (0, π). Answer: frequency, in cycles over the vector.
Fit fit_sinusoid(const at::Tensor& y);

/// Σ cₙ Tₙ(x), n = 0 … degree, x from −1 to 1 over the vector. Answers: degree with the largest
/// share of Σ cₙ² without n = 0, and that share.
Fit fit_chebyshev(const at::Tensor& y, int degree);

/// C₁ e^{−as} − C₂ e^{−bs} + D over s from 0 to 1, a ≥ b > 0, by variable projection: C₁, C₂ and D
/// are linear; a and b are searched on a logarithmic grid and refined. Answers: a and b.
Fit fit_biexponential(const at::Tensor& y);

}  // namespace descramble
