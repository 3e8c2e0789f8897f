#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace [[gnu::visibility("default")]] descramble {

/// 0.6 e^{−t/T₁} + 0.4 e^{−t/T₂} at evenly spaced times from 0.
/// @source Sule, Spencer, Czaja, arXiv 2301.07820 (after Rozowski et al., input layer
/// regularisation).
class BiexponentialDecay {
 public:
  /// `points` times from 0 to `time_max`, in the unit of the decay times.
  BiexponentialDecay(std::int64_t points, double time_max);

  /// The times, in the unit of the decay times.
  const std::vector<double>& times() const { return times_; }
  /// The signal at all times, for T₁ and T₂.
  std::vector<double> at(const std::array<double, 2>& decay_times) const;

  /// Where a fit ended.
  struct Fit {
    std::array<double, 2> decay_times{};  ///< p₁ and p₂
    double value = 0;                     ///< ‖G(p) − d‖² + λ²‖p‖²
    std::int64_t iterations = 0;          ///< steps that were taken
    bool converged = false;               ///< whether the step became too small to matter
  };
  /// Minimises ‖G(p) − d‖² + λ²‖p‖² over low ≤ p₁, p₂ ≤ high by the method of Levenberg and
  /// Marquardt with projected steps, from `start`; with the true second derivatives where they are
  /// positive. It finds the minimum into whose basin the start
  /// belongs. `d`: as many numbers as there are times.
  Fit fit(const std::vector<double>& data, double lambda, double low, double high,
          std::array<double, 2> start) const;

 private:
  std::vector<double> times_{};
};

}  // namespace descramble
