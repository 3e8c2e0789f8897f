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

/// What is measured of some layers while a model trains.
struct ProbeOptions {
  std::vector<std::string> taps{};  ///< names or globs
  std::int64_t every = 100;         ///< optimiser steps between two measurements
  std::vector<std::string> measures{"spectrum", "smoothness"};  ///< see probe_measure_names
  std::int64_t samples = 512;  ///< size of the probe set: the first samples of the source
  Stencil stencil = Stencil::fourier_second;
};

/// "spectrum", "smoothness", "diagonal_sum".
std::vector<std::string> probe_measure_names();

/// One measurement of one layer.
struct ProbeRecord {
  std::size_t probe = 0;  ///< number of the probe
  std::int64_t step = 0;
  std::int64_t epoch = 0;
  std::string tap{};
  std::string measure{};
  std::map<std::string, std::optional<double>> numbers{};  ///< nothing: it has no value
  std::map<std::string, std::vector<double>> lists{};
};

/// Measures layers while a model trains, without changing the training: the same parameters come
/// out, byte for byte, as without it. What it measures is a function of the model's state and of a
/// fixed probe set, the first samples of a source.
class Probes {
 public:
  explicit Probes(const Model& model, std::int64_t memory_mb = 4096);
  ~Probes();
  Probes(Probes&&) noexcept;
  Probes& operator=(Probes&&) noexcept;

  /// One probe more. `where` names it in errors. @throws Error for an unknown tap or measure, or a
  /// tap whose layer lacks the weight that a measure is about
  void add(const ProbeOptions& options, const Source& source, const std::string& where = "");

  /// Measures what is due at `step`. @throws Failure for values that are not finite
  void at_step(std::int64_t step, std::int64_t epoch);
  /// Measures what the last step left out.
  void at_end();

  bool empty() const;
  /// The newest figures, one line a probe.
  std::vector<std::string> new_lines();
  /// Everything measured, in the order in which it was.
  const std::vector<ProbeRecord>& records() const;
  /// The newest tensors of measures that have one: `probes.<i>.<tap>.<measure>`.
  const NamedTensors& tensors() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace descramble
