#pragma once

#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace [[gnu::visibility("default")]] descramble {

/// A differentiation stencil D on d points. ‖D v‖² is the roughness of a vector v.
enum class Stencil {
  fourier_first,     ///< spectral first derivative on a circle (zero for the Nyquist mode)
  fourier_second,    ///< spectral second derivative on a circle (Amey et al. 2021)
  forward_free,      ///< v_{l+1} − v_l, open ends
  forward_periodic,  ///< v_{l+1} − v_l on a circle
  central_periodic  ///< (v_{l+1} − v_{l−1})/2 on a circle: the highest frequency counts as smooth
};

/// The name in configs: "fourier_second".
std::string stencil_name(Stencil stencil);
/// The names of all stencils.
std::vector<std::string> stencil_names();
/// The stencil of that name.
/// @throws Error for an unknown name
Stencil parse_stencil(const std::string& name);

/// A = DᵀD = T Λ Tᵀ in closed form, λ ascending. An eigensolver would mix the modes of equal λ and
/// lose the lowest modes to rounding.
///
/// On a circle, with f = min(k, d − k): λ = f⁴ (fourier_second), f² (fourier_first), 4 sin²(πk/d)
/// (forward), sin²(2πk/d) (central). T: the constant 1/√d, then √(2/d)·cos, √(2/d)·sin of each
/// frequency, and for even d the alternating vector (−1)^l/√d. Open ends: the DCT-II basis,
/// λ = 4 sin²(πk/2d), without degeneracy.
struct StencilSpectrum {
  at::Tensor values{};   ///< λ, [d], float64, ascending
  at::Tensor vectors{};  ///< T, [d, d], float64, orthogonal, columns in the order of λ
};

/// The spectrum of the stencil on d points.
/// @throws Error for d < 1
StencilSpectrum stencil_spectrum(Stencil stencil, std::int64_t d);

}  // namespace descramble
