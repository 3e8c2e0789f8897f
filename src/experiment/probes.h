#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "experiment/step.h"

namespace descramble {

/// Measures layers while a model trains, without changing the training: the same parameters come
/// out, byte for byte, as without it. What it measures is a function of the model's state and of a
/// fixed probe set, the first samples of a source.
class Probes {
 public:
  /// `resolved`: train's "probes". @throws Error naming the pointer for an unknown tap, or one
  /// whose
  ///         layer lacks the weight that a measure is about
  Probes(const nlohmann::json& resolved, const Workspace& workspace);
  ~Probes();

  /// Measures what is due at `step`. @throws Failure for values that are not finite
  void at_step(std::int64_t step, std::int64_t epoch);
  /// Measures what the last step left out.
  void at_end();

  bool empty() const { return probes_.empty(); }
  /// The newest figures, one line a probe.
  std::vector<std::string> new_lines();
  /// Everything measured: {probe, step, epoch, tap, measure, …}, in the order in which it was.
  const std::vector<nlohmann::json>& records() const { return records_; }
  /// One for each measure: `probe_<measure>`.
  std::vector<NamedFigure> figures() const;
  /// The newest tensors of measures that have one: `probes.<i>.<tap>.<measure>`.
  const NamedTensors& tensors() const { return wholes_; }

 private:
  struct Probe;
  void measure(std::size_t number, std::int64_t step, std::int64_t epoch);

  std::vector<std::unique_ptr<Probe>> probes_{};
  std::vector<nlohmann::json> records_{};
  NamedTensors wholes_{};
  std::int64_t step_ = 0;
  std::int64_t epoch_ = 0;
};

}  // namespace descramble
