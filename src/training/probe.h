#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/data/data_set.h"
#include "descramble/model/model.h"
#include "descramble/objective/stencil.h"
#include "descramble/stats/moments.h"
#include "descramble/taps/axis.h"
#include "descramble/taps/tapped_model.h"
#include "descramble/training/probes.h"
#include "training/probe_measures.h"

namespace descramble {

/// One probe: its taps, its measures and its samples.
class Probe {
 public:
  /// @throws Error as Probes::add does
  Probe(const Model& model, const ProbeOptions& options, std::int64_t memory_mb,
        const std::string& where);

  /// The probe set: the first samples of a source, read once.
  void set_samples(const Source& source);
  bool has_samples() const { return samples_.has_value(); }
  bool runs_model() const { return runs_model_; }
  bool is_due(std::int64_t step) const { return step % options_.every == 0; }
  std::int64_t last_step() const { return last_step_; }

  /// What a measurement adds: its records, with the numbers of probe, step and epoch missing, and
  /// the tensors of measures that have one, named <tap>.<measure>.
  struct Measured {
    std::vector<ProbeRecord> records{};
    NamedTensors wholes{};
  };
  /// Takes `samples` in place of a missing probe set. @throws Failure
  Measured measure(std::int64_t step, const std::optional<Source>& samples);

  /// The newest figures in one line; nothing: they have been told.
  std::optional<std::string> new_line();

 private:
  struct Tap {
    std::string name{};
    at::Tensor weight{};  // the live parameter
    Axis axis = Axis::features;
    Moments moments{};
    StencilSpectrum stencil{};
  };

  void take(Tap& tap, const at::Tensor& value) const;
  void gather(const Source& samples);
  Source in_dtype_of_model(const std::optional<Source>& samples) const;
  JacobianFigures jacobian(const Tap& tap, const Source& samples) const;

  Model model_;
  TappedModel tapped_;
  std::vector<Tap> taps_{};
  std::vector<const ProbeMeasure*> measures_{};
  std::optional<Source> samples_{};
  ProbeOptions options_;
  at::ScalarType dtype_ = at::kFloat;  ///< of the model when the probe was made
  std::int64_t memory_mb_ = 0;
  std::int64_t last_step_ = -1;
  std::int64_t told_step_ = -1;  // the last one that a person was told of
  bool takes_values_ = false;
  bool runs_model_ = false;
  std::vector<std::string> newest_{};  // figures of the last measurement, one text a tap
};

}  // namespace descramble
