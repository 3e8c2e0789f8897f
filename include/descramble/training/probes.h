#pragma once

#include <cstdint>
#include <functional>
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

namespace [[gnu::visibility("default")]] descramble {

/// The measurements at some layers while a model trains.
struct ProbeOptions {
  std::vector<std::string> taps{};  ///< names or globs
  std::int64_t every = 100;         ///< optimiser steps between two measurements
  std::vector<std::string> measure{"spectrum", "smoothness"};  ///< see probe_measure_names
  std::int64_t samples = 512;  ///< size of the probe set: the first samples of the source
  Stencil stencil = Stencil::fourier_second;  ///< the stencil of the measure "smoothness"
  std::string to = "output";  ///< the tap at the other end of the Jacobians of "jacobian_l1"
};

/// "spectrum", "smoothness", "diagonal_sum", "jacobian_l1".
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

/// Receives each record as soon as it is made. See results/probe_sinks.h for files.
using ProbeSink = std::function<void(const ProbeRecord&)>;

/// The time that probes took.
struct ProbeCost {
  std::int64_t measurements = 0;  ///< each of all layers of one probe
  double seconds = 0;             ///< in measurements and sinks
  double training_seconds = 0;    ///< since the first step, without those
};
/// "13 measurements in 0.15 s, 4.9 % of the 3.02 s of the training".
std::string cost_text(const ProbeCost& cost);

/// Measures layers while a model trains, without changing the training: the parameters are the
/// same, byte for byte, with and without probes. While it is measured, the model is in eval mode
/// and without gradients; afterwards the mode of each submodule, the random generators and the
/// model's state are as they were, also when a sink throws (see EvaluationScope).
///
/// With a probe set, a measurement depends only on the model's state:
///
///     descramble::Probes probes(model, {.taps = {"fc1"}, .every = 100}, samples, sink);
///     for (const auto& batch : batches) {
///       …  // any forward of the model or of the module behind it, backward, optimizer.step()
///       probes.step();
///     }
///
/// Without a probe set, a measurement takes the samples of the newest `probes.forward(inputs)`.
///
/// The model may be one of a torch::nn module (wrap_module), and may move to another device
/// meanwhile. One thread at a time.
class Probes {
 public:
  /// No probe yet. `memory_mb`: ceiling for matrices and values, MiB.
  explicit Probes(const Model& model, std::int64_t memory_mb = 4096);
  /// One probe, on the first samples of a source. @throws Error as add() does
  Probes(const Model& model, const ProbeOptions& options, const Source& samples,
         ProbeSink sink = {});
  /// One probe, on the samples that forward() is given. @throws Error as add() does
  Probes(const Model& model, const ProbeOptions& options, ProbeSink sink = {});
  ~Probes();
  /// The other one is empty afterwards.
  Probes(Probes&&) noexcept;
  /// The other one is empty afterwards.
  Probes& operator=(Probes&&) noexcept;

  /// Adds a probe. `where` names it in errors. Without `source` it measures the samples that
  /// forward() is given. @throws Error for an unknown tap or measure, for a tap of a layer without
  /// the weight that a measure needs, or that does not come before `options.to`
  void add(const ProbeOptions& options, const std::optional<Source>& source = std::nullopt,
           const std::string& where = "");
  /// Adds a receiver of records.
  void add_sink(ProbeSink sink);

  /// The model's own forward, in the mode that it is in and with gradients. Keeps the inputs for
  /// the next measurement.
  at::Tensor forward(const std::vector<at::Tensor>& inputs);

  /// Counts an optimiser step, from 1, and runs the probes that are due.
  /// @throws Failure for values that are not finite; Error for a probe without samples when
  /// forward() was not called since the last step, and for values that cannot be probed; what a
  /// sink throws, when all sinks have all records
  void step();
  /// Counts an epoch, from 1, for the records.
  void begin_epoch();
  /// For a training that goes on from a checkpoint: the next step() is `step` + 1. Measures
  /// nothing.
  void resume(std::int64_t step, std::int64_t epoch);
  /// Runs the probes that are due at `step`; the next step() is `step` + 1. `at_step(0, 0)`
  /// measures before the first step. @throws as step()
  void at_step(std::int64_t step, std::int64_t epoch);
  /// Runs the probes that did not run at the last step. @throws as step()
  void at_end();

  /// Whether no probe was added.
  bool empty() const;
  /// The newest figures, one line per probe.
  std::vector<std::string> new_lines();
  /// All measurements, in the order in which they were made.
  const std::vector<ProbeRecord>& records() const;
  /// The newest tensors of measures that have one: `probes.<i>.<tap>.<measure>`.
  const NamedTensors& tensors() const;
  /// The time that the probes took so far.
  ProbeCost cost() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace descramble
