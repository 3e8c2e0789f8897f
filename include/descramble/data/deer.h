#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "descramble/core/random.h"

namespace [[gnu::visibility("default")]] descramble {

/// Dipolar coupling of two electrons at `distance` Å: D = γₑ² ħ μ₀ / (4π r³), in rad/µs;
/// 2π · 52.041 MHz at 10 Å. Constants: γₑ = −1.76085963023e11 rad/(s T), ħ = 1.054571628e-34 J s.
double dipolar_coupling(double distance);

/// DEER kernel: the dipolar modulation of two electrons at `distance` Å after `time` µs, averaged
/// over all orientations,
///     γ(r, t) = ∫₀¹ cos((1 − 3u²) D t) du = √(π/6Dt) [cos(Dt) C(√(6Dt/π)) + sin(Dt) S(√(6Dt/π))],
/// with the Fresnel integrals C and S; 1 at t = 0. Exact to about 1e-13.
/// @source Worswick, Spencer, Jeschke, Kuprov, Science Advances 4 (2018) eaat5218.
double deer_kernel(double distance, double time);

/// What a generated DEER trace is made of. The numbers are those of Worswick et al. (see
/// above).
struct DeerOptions {
  std::int64_t points = 256;    ///< points of the trace, and of the distribution
  double time_max = 2;          ///< µs; times are evenly spaced from 0
  std::vector<double> times{};  ///< µs, increasing, from 0; empty: from points and time_max
  /// Å; absent: what the time grid resolves, r_min = (4 · 52.04 MHz · dt)^⅓ nm and
  /// r_max = (2 · 52.04 MHz · t_max)^⅓ nm (11.775 to 59.265 Å for the defaults).
  std::optional<double> distance_min{};
  std::optional<double> distance_max{};  ///< Å; absent: r_max
  std::int64_t gaussians = 4;            ///< a distribution has 1 to this many
  double noise = 0.05;                   ///< largest noise, relative to the modulation depth
  double depth_min = 0.01;               ///< modulation depth μ ~ U(depth_min, depth_max)
  double depth_max = 1;                  ///< upper end of μ
  double background_max = 0.5;  ///< rate of the background k ~ U(0, background_max), per µs
  double dimension_min = 2;    ///< dimension of the background, n ~ U(dimension_min, dimension_max)
  double dimension_max = 3.5;  ///< upper end of n
};

/// Draws DEER traces with the distance distributions that they come from.
class DeerSimulator {
 public:
  /// Computes the kernel on both grids.
  /// @throws Error with the field for times that do not increase, distances that the time grid does
  /// not resolve, and more Gaussians than fit
  explicit DeerSimulator(const DeerOptions& options);

  const std::vector<double>& times() const { return times_; }          ///< µs
  const std::vector<double>& distances() const { return distances_; }  ///< Å
  /// γ(rⱼ, tᵢ) at j·times + i.
  const std::vector<double>& kernel() const { return kernel_; }

  /// One trace and what it is made of.
  struct Trace {
    std::vector<double> distribution{};  ///< p(r), per nm; its integral over r is 1
    std::vector<double> form_factor{};   ///< ∫ p(r) γ(r, t) dr
    std::vector<double> clean{};         ///< (1 − μ + μ·form) · exp(−(kt)^{n/3})
    std::vector<double> noise{};         ///< added to it
    double depth = 0;                    ///< μ
  };
  /// Draws a trace from the stream: the same stream gives the same trace.
  Trace draw(RandomStream& random) const;

 private:
  DeerOptions options_;
  std::vector<double> times_{};
  std::vector<double> distances_{};
  std::vector<double> kernel_{};
};

}  // namespace descramble
