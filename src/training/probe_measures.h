#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/objective/stencil.h"
#include "descramble/stats/moments.h"
#include "descramble/training/probes.h"

namespace descramble {

/// Sums over Jacobians: Σ|J| and Σ J² as means over samples, and the number of entries of a sample.
struct JacobianFigures {
  double l1 = 0;
  double squares = 0;
  double entries = 0;

  /// `blocks` [K, o, h], with the weights of their samples, [K, 1, 1].
  void add(const at::Tensor& blocks, const at::Tensor& weights);
};

/// The data of one tap at one moment of a training.
class ProbedTap {
 public:
  /// `stencil` has the tap's dimension and is float64. Moments and stencil may be empty for
  /// measures that need only the weight. `jacobian` is called when a measure asks for it.
  ProbedTap(const Moments& moments, const StencilSpectrum* stencil, at::Tensor weight,
            std::function<JacobianFigures()> jacobian);

  /// Centred, [d, d].
  const at::Tensor& covariance() const { return covariance_; }
  /// Of the covariance, descending, [d]; computed once.
  const at::Tensor& eigenvalues();
  const StencilSpectrum& stencil() const { return *stencil_; }
  const at::Tensor& weight() const { return weight_; }  ///< [out, rest], float64
  JacobianFigures jacobian() const { return jacobian_(); }

 private:
  at::Tensor covariance_{};
  at::Tensor eigenvalues_{};
  const StencilSpectrum* stencil_;
  at::Tensor weight_;
  std::function<JacobianFigures()> jacobian_;
};

/// One of the figures of a measure that are drawn against the step.
struct ProbeCurve {
  std::string key{};    ///< among the numbers of a record
  std::string label{};  ///< behind the tap's name in the legend
};

/// What a probe can measure.
struct ProbeMeasure {
  std::string name{};
  bool needs_values = false;    ///< of the tap on the probe set
  bool needs_weight = false;    ///< of the layer that is tapped
  bool needs_jacobian = false;  ///< from the tap to the probe's `to`
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
