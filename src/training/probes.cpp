#include "descramble/training/probes.h"

#include <algorithm>
#include <utility>

#include <ATen/core/ivalue.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/error.h"
#include "descramble/data/batches.h"
#include "descramble/taps/axis.h"
#include "descramble/taps/select.h"
#include "descramble/taps/tapped_model.h"
#include "descramble/training/evaluation_scope.h"
#include "training/probe_measures.h"

namespace descramble {

namespace {

/// The weight of the layer that is tapped. @throws Error if there is none
at::Tensor tapped_weight(const Model& model, const std::string& tap, const std::string& pointer) {
  for (const auto& [name, parameter] : model.parameters()) {
    if (name == tap + ".weight" && parameter.dim() >= 2) return parameter;
  }
  throw Error({"tap '" + tap + "' has no weight", pointer,
               "a linear or convolution layer for the measure 'diagonal_sum'",
               "none of that name"});
}

}  // namespace

std::vector<std::string> probe_measure_names() {
  std::vector<std::string> names;
  for (const ProbeMeasure& measure : probe_measures()) names.push_back(measure.name);
  return names;
}

/// One probe: its taps, its measures and its samples.
struct Probe {
  struct Tap {
    std::string name{};
    at::Tensor weight{};  // the live parameter
    Axis axis = Axis::features;
    Moments moments{};
    StencilSpectrum stencil{};
  };

  Model model;
  TappedModel tapped;
  std::vector<Tap> taps{};
  std::vector<const ProbeMeasure*> measures{};
  std::vector<std::vector<at::Tensor>> batches{};
  Stencil stencil = Stencil::fourier_second;
  std::int64_t every = 1;
  std::int64_t memory_mb = 0;
  std::int64_t last_step = -1;
  std::int64_t told_step = -1;  // the last one that a person was told of
  bool runs_model = false;
  std::vector<std::string> newest{};  // figures of the last measurement, one text a tap

  Probe(const Model& of, const std::vector<std::string>& names)
      : model(of), tapped(tap_model(of, names)) {}

  void take(Tap& tap, const at::Tensor& value) const {
    if (!value.is_floating_point() || value.dim() == 0) {
      throw Error({"the value cannot be probed", "tap '" + tap.name + "'",
                   "a floating-point tensor", shape_text(value)});
    }
    if (!tap.stencil.values.defined()) {
      tap.axis = default_axis(value, tapped.point(tap.name));
      const std::int64_t d = axis_size(value, tap.axis);
      require_memory(d, memory_mb, tap.name, tap.axis);
      tap.stencil = stencil_spectrum(stencil, d);
    }
    try {
      tap.moments.add(to_rows(value, tap.axis));
    } catch (const Error& error) {
      Complaint complaint = error.complaint();
      complaint.what = "cannot probe: " + complaint.what;
      complaint.where = "tap '" + tap.name + "'";
      throw Failure(complaint);  // the network's fault while it trains, not wrong use
    }
  }

  /// One pass over the probe set. If there is only one tap, the pass stops there.
  void gather() {
    std::vector<Watch> watches;
    for (Tap& tap : taps) {
      tap.moments = Moments();
      watches.push_back(
          tapped.observe(tap.name, [this, &tap](const at::Tensor& value) { take(tap, value); }));
    }
    for (const std::vector<at::Tensor>& inputs : batches) {
      if (taps.size() == 1)
        tapped.forward_until(taps[0].name, inputs);
      else
        tapped.forward_values(model.arguments(inputs));
    }
  }
};

namespace {

/// The measures that a probe names, in the order in which results list them.
std::vector<const ProbeMeasure*> measures_of(const ProbeOptions& options,
                                             const std::string& where) {
  std::vector<const ProbeMeasure*> result;
  for (const std::string& name : options.measures) {
    const std::vector<std::string> known = probe_measure_names();
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    throw Error(
        {"no such measure", where + "/measure", "one of " + quoted_list(known), "'" + name + "'"});
  }
  for (const ProbeMeasure& measure : probe_measures()) {
    const auto& wanted = options.measures;
    if (std::find(wanted.begin(), wanted.end(), measure.name) != wanted.end())
      result.push_back(&measure);
  }
  return result;
}

}  // namespace

struct Probes::State {
  State(const Model& of, std::int64_t memory) : model(of), memory_mb(memory) {}

  void measure(std::size_t number, std::int64_t at_step, std::int64_t at_epoch);

  Model model;
  std::int64_t memory_mb;
  std::vector<std::unique_ptr<Probe>> probes{};
  std::vector<ProbeRecord> records{};
  NamedTensors wholes{};
  std::int64_t step = 0;
  std::int64_t epoch = 0;
};

Probes::Probes(const Model& model, std::int64_t memory_mb)
    : state_(std::make_unique<State>(model, memory_mb)) {}
Probes::~Probes() = default;
Probes::Probes(Probes&&) noexcept = default;
Probes& Probes::operator=(Probes&&) noexcept = default;

bool Probes::empty() const {
  return state_->probes.empty();
}

const std::vector<ProbeRecord>& Probes::records() const {
  return state_->records;
}

const NamedTensors& Probes::tensors() const {
  return state_->wholes;
}

void Probes::add(const ProbeOptions& options, const Source& source, const std::string& where) {
  const Model& model = state_->model;
  const std::vector<std::string> names =
      with_complaint([&](Complaint& complaint) { complaint.where = where + "/taps"; },
                     [&] { return select_taps(model, options.taps); });
  auto probe = std::make_unique<Probe>(model, names);
  probe->stencil = options.stencil;
  probe->every = std::max<std::int64_t>(1, options.every);
  probe->memory_mb = state_->memory_mb;
  probe->measures = measures_of(options, where);
  bool needs_weight = false;
  for (const ProbeMeasure* measure : probe->measures) {
    probe->runs_model = probe->runs_model || measure->needs_values;
    needs_weight = needs_weight || measure->needs_weight;
  }
  for (const std::string& name : names) {
    Probe::Tap tap{.name = name};
    if (needs_weight) tap.weight = tapped_weight(model, name, where + "/taps");
    probe->taps.push_back(std::move(tap));
  }
  if (probe->runs_model) {
    for_each_batch(
        with_size(source, options.samples), model.device(),
        [&](const Batch& batch, std::int64_t) { probe->batches.push_back(batch.inputs); });
  }
  state_->probes.push_back(std::move(probe));
}

void Probes::State::measure(std::size_t number, std::int64_t at_step, std::int64_t at_epoch) {
  Probe& probe = *probes[number];
  const EvaluationScope scope(probe.model);
  if (probe.runs_model) probe.gather();
  probe.last_step = at_step;
  probe.newest.clear();
  for (Probe::Tap& tap : probe.taps) {
    const at::Tensor weight =
        tap.weight.defined() ? tap.weight.to(at::kCPU, at::kDouble).flatten(1) : at::Tensor();
    ProbedTap probed(tap.moments, &tap.stencil, weight);
    std::string text = tap.name;
    for (const ProbeMeasure* measure : probe.measures) {
      ProbeRecord record{.probe = number,
                         .step = at_step,
                         .epoch = at_epoch,
                         .tap = tap.name,
                         .measure = measure->name};
      measure->measure(probed, record);
      if (measure->whole != nullptr)
        wholes[fmt::format("probes.{}.{}.{}", number, tap.name, measure->name)] =
            measure->whole(probed);
      std::vector<std::string> values;
      for (const ProbeCurve& curve : measure->curves) {
        const std::optional<double>& value = record.numbers.at(curve.key);
        values.push_back(value ? fmt::format("{:.4g}", *value) : "-");
      }
      text += fmt::format("{} {} {}", measure == probe.measures.front() ? "" : ",", measure->name,
                          fmt::join(values, "/"));
      records.push_back(std::move(record));
    }
    probe.newest.push_back(text);
  }
}

void Probes::at_step(std::int64_t step, std::int64_t epoch) {
  state_->step = step;
  state_->epoch = epoch;
  for (std::size_t i = 0; i < state_->probes.size(); ++i) {
    if (step % state_->probes[i]->every == 0) state_->measure(i, step, epoch);
  }
}

void Probes::at_end() {
  for (std::size_t i = 0; i < state_->probes.size(); ++i) {
    if (state_->probes[i]->last_step != state_->step)
      state_->measure(i, state_->step, state_->epoch);
  }
}

std::vector<std::string> Probes::new_lines() {
  constexpr std::size_t shown = 3;
  std::vector<std::string> result;
  for (const auto& probe : state_->probes) {
    if (probe->last_step == probe->told_step) continue;
    probe->told_step = probe->last_step;
    const std::size_t count = std::min(shown, probe->newest.size());
    std::string line =
        fmt::format("step {}: {}", probe->last_step,
                    fmt::join(probe->newest.begin(),
                              probe->newest.begin() + static_cast<std::ptrdiff_t>(count), "; "));
    if (count < probe->newest.size())
      line += fmt::format("; and {} more", probe->newest.size() - count);
    result.push_back(line);
  }
  return result;
}

}  // namespace descramble
