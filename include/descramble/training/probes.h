#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/core/safetensors.h"
#include "descramble/data/data_set.h"
#include "descramble/model/model.h"
#include "descramble/objective/stencil.h"

namespace descramble {

/// The measurements at some layers while a model trains.
struct ProbeOptions {
  std::vector<std::string> taps{};  ///< names or globs
  std::int64_t every = 100;         ///< optimiser steps between two measurements
  std::vector<std::string> measures{"spectrum", "smoothness"};  ///< see probe_measure_names
  std::int64_t samples = 512;  ///< size of the probe set: the first samples of the source
  Stencil stencil = Stencil::fourier_second;  ///< the stencil of the measure "smoothness"
};

/// "spectrum", "smoothness", "diagonal_sum".
std::vector<std::string> probe_measure_names();

/// One measurement of one layer.
struct ProbeRecord {
  std::size_t probe = 0;   ///< number of the probe
  std::int64_t step = 0;   ///< optimiser steps that were done
  std::int64_t epoch = 0;  ///< the epoch of that step, from 1; 0 before the first step
  std::string tap{};       ///< the layer
  std::string measure{};   ///< one of probe_measure_names()
  std::map<std::string, std::optional<double>> numbers{};  ///< nothing: the number has no value
  std::map<std::string, std::vector<double>> lists{};      ///< values along the layer: a spectrum
};

/// Measures layers while a model trains, without changing the training: the parameters are the
/// same, byte for byte, with and without probes. A measurement depends only on the model's state
/// and on a fixed probe set, the first samples of a source.
class Probes {
 public:
  /// No probe yet. `memory_mb`: ceiling for matrices and values, MiB.
  explicit Probes(const Model& model, std::int64_t memory_mb = 4096);
  ~Probes();
  /// The other one is empty afterwards.
  Probes(Probes&&) noexcept;
  /// The other one is empty afterwards.
  Probes& operator=(Probes&&) noexcept;

  /// Adds a probe. `where` names it in errors. @throws Error for an unknown tap or measure, or for
  /// a tap of a layer without the weight that a measure needs
  void add(const ProbeOptions& options, const Source& source, const std::string& where = "");

  /// Runs the probes that are due at `step`. @throws Failure for values that are not finite
  void at_step(std::int64_t step, std::int64_t epoch);
  /// Runs the probes that did not run at the last step.
  void at_end();

  /// Whether no probe was added.
  bool empty() const;
  /// The newest figures, one line per probe.
  std::vector<std::string> new_lines();
  /// All measurements, in the order in which they were made.
  const std::vector<ProbeRecord>& records() const;
  /// The newest tensors of measures that have one: `probes.<i>.<tap>.<measure>`.
  const NamedTensors& tensors() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace descramble
