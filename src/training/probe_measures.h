#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/objective/stencil.h"
#include "descramble/stats/moments.h"
#include "descramble/training/probes.h"

namespace descramble {

/// The data of one tap at one moment of a training.
class ProbedTap {
 public:
  /// `stencil` has the tap's dimension and is float64. Moments and stencil may be empty for
  /// measures that need only the weight.
  ProbedTap(const Moments& moments, const StencilSpectrum* stencil, at::Tensor weight);

  /// Centred, [d, d].
  const at::Tensor& covariance() const { return covariance_; }
  /// Of the covariance, descending, [d]; computed once.
  const at::Tensor& eigenvalues();
  const StencilSpectrum& stencil() const { return *stencil_; }
  const at::Tensor& weight() const { return weight_; }  ///< [out, rest], float64

 private:
  at::Tensor covariance_{};
  at::Tensor eigenvalues_{};
  const StencilSpectrum* stencil_;
  at::Tensor weight_;
};

/// One of the figures of a measure that are drawn against the step.
struct ProbeCurve {
  std::string key{};    ///< among the numbers of a record
  std::string label{};  ///< behind the tap's name in the legend
};

/// What a probe can measure.
struct ProbeMeasure {
  std::string name{};
  bool needs_values = false;  ///< of the tap on the probe set
  bool needs_weight = false;  ///< of the layer that is tapped
  /// Fills in the numbers and lists of a record.
  void (*measure)(ProbedTap& tap, ProbeRecord& record) = nullptr;
  /// A tensor that is too long for a record; its last value goes into the result's tensors.
  at::Tensor (*whole)(ProbedTap& tap) = nullptr;
  std::string title{};
  std::string y_title{};
  bool log_y = false;
  std::vector<ProbeCurve> curves{};
};

/// Every measure, in the order in which results list them.
const std::vector<ProbeMeasure>& probe_measures();

}  // namespace descramble
