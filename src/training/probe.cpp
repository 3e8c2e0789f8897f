#include "training/probe.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <utility>

#include <ATen/core/ivalue.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/error.h"
#include "descramble/data/batches.h"
#include "descramble/data/tensor_set.h"
#include "descramble/jacobian/jacobian_stack.h"
#include "descramble/taps/select.h"

namespace descramble {

namespace {

std::vector<std::string> taps_of(const Model& model, const ProbeOptions& options,
                                 const std::string& where) {
  return with_complaint([&](Complaint& complaint) { complaint.where = where + "/taps"; },
                        [&] { return select_taps(model, options.taps); });
}

/// The weight of the layer that is tapped. @throws Error if there is none
at::Tensor tapped_weight(const Model& model, const std::string& tap, const std::string& pointer) {
  for (const auto& [name, parameter] : model.parameters()) {
    if (name == tap + ".weight" && parameter.dim() >= 2) return parameter;
  }
  throw Error({"tap '" + tap + "' has no weight", pointer,
               "a linear or convolution layer for the measure 'diagonal_sum'",
               "none of that name"});
}

/// The network's fault while it trains, not wrong use.
Failure cannot_probe(const Error& error, const std::string& where) {
  Complaint complaint = error.complaint();
  complaint.what = "cannot probe: " + complaint.what;
  complaint.where = where;
  return Failure(complaint);
}

/// The measures that a probe names, in the order in which results list them.
std::vector<const ProbeMeasure*> measures_of(const ProbeOptions& options,
                                             const std::string& where) {
  const std::vector<std::string> known = probe_measure_names();
  for (const std::string& name : options.measure) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    throw Error(
        {"no such measure", where + "/measure", "one of " + quoted_list(known), "'" + name + "'"});
  }
  std::vector<const ProbeMeasure*> result;
  for (const ProbeMeasure& measure : probe_measures()) {
    const auto& wanted = options.measure;
    if (std::find(wanted.begin(), wanted.end(), measure.name) != wanted.end())
      result.push_back(&measure);
  }
  return result;
}

void require_counts(const ProbeOptions& options, const std::string& where) {
  const auto require = [&](bool holds, const char* field, const char* expected,
                           std::int64_t found) {
    if (!holds) throw Error({"no probe", where + field, expected, fmt::format("{}", found)});
  };
  require(!options.taps.empty(), "/taps", "at least one tap", 0);
  require(!options.measure.empty(), "/measure", "at least one measure", 0);
  require(options.every >= 1, "/every", "a number of steps >= 1", options.every);
  require(options.samples >= 1, "/samples", "a number of samples >= 1", options.samples);
}

/// The Jacobians' end is one point, in front of which all taps come.
void require_end(const Model& model, const std::vector<std::string>& taps, const std::string& to,
                 const std::string& where) {
  const std::vector<std::string> ends =
      with_complaint([&](Complaint& complaint) { complaint.where = where + "/to"; },
                     [&] { return select_taps(model, {to}); });
  if (ends.size() != 1) {
    throw Error({"the Jacobians have no end", where + "/to", "one tap",
                 fmt::format("'{}', which means {}", to, ends.size())});
  }
  std::vector<std::string> all = taps;
  all.push_back(ends[0]);
  const std::vector<std::string> ordered = select_taps(model, all);  // in the model's order
  if (ordered.back() == ends[0] && ordered.size() == taps.size() + 1) return;
  const auto behind = std::find(ordered.begin(), ordered.end(), ends[0]);
  throw Error(
      {"no Jacobian", where + "/taps", "taps in front of '" + ends[0] + "'",
       behind + 1 == ordered.end() ? "'" + ends[0] + "' itself" : "'" + *(behind + 1) + "'"});
}

}  // namespace

Probe::Probe(const Model& model, const ProbeOptions& options, std::int64_t memory_mb,
             const std::string& where)
    : model_(model), tapped_(tap_model(model, taps_of(model, options, where))), options_(options) {
  dtype_ = model.dtype();
  memory_mb_ = memory_mb;
  measures_ = measures_of(options, where);
  require_counts(options, where);
  std::vector<std::string> names;
  for (const TapPoint& point : tapped_.points()) names.push_back(point.name);
  bool needs_weight = false;
  for (const ProbeMeasure* measure : measures_) {
    takes_values_ = takes_values_ || measure->needs_values;
    needs_weight = needs_weight || measure->needs_weight;
    if (measure->needs_jacobian) require_end(model, names, options.to, where);
    runs_model_ = runs_model_ || measure->needs_values || measure->needs_jacobian;
  }
  for (const std::string& name : names) {
    Tap tap{.name = name};
    if (needs_weight) tap.weight = tapped_weight(model, name, where + "/taps");
    taps_.push_back(std::move(tap));
  }
}

void Probe::set_samples(const Source& source) {
  if (!runs_model_) return;
  std::vector<std::vector<at::Tensor>> parts;
  for_each_batch(with_size(source, options_.samples), at::kCPU,
                 [&](const Batch& batch, std::int64_t) { parts.push_back(batch.inputs); });
  std::vector<at::Tensor> inputs;
  for (std::size_t i = 0; !parts.empty() && i < parts[0].size(); ++i) {
    std::vector<at::Tensor> pieces;
    for (const auto& part : parts) pieces.push_back(part[i]);
    inputs.push_back(at::cat(pieces));
  }
  samples_ = tensor_set(inputs, {}, model_.batched() ? source.batch_size : 1);
}

void Probe::take(Tap& tap, const at::Tensor& value) const {
  if (!value.is_floating_point() || value.dim() == 0) {
    throw Error({"the value cannot be probed", "tap '" + tap.name + "'", "a floating-point tensor",
                 shape_text(value)});
  }
  if (value.dim() == 1) return take(tap, value.unsqueeze(1));  // one number a sample
  if (!tap.stencil.values.defined()) {
    tap.axis = default_axis(value, tapped_.point(tap.name));
    const std::int64_t d = axis_size(value, tap.axis);
    require_memory(d, memory_mb_, tap.name, tap.axis);
    tap.stencil = stencil_spectrum(options_.stencil, d);
  }
  if (axis_size(value, tap.axis) != tap.stencil.values.size(0)) {
    throw Failure({"cannot probe: a value has changed its width", "tap '" + tap.name + "'",
                   fmt::format("{}, as at first", tap.stencil.values.size(0)),
                   fmt::format("{}", axis_size(value, tap.axis))});
  }
  try {
    tap.moments.add(to_rows(value, tap.axis));
  } catch (const Error& error) {
    throw cannot_probe(error, "tap '" + tap.name + "'");
  }
}

/// One pass over the probe set. If there is only one tap, the pass stops there.
void Probe::gather(const Source& samples) {
  std::vector<Watch> watches;
  for (Tap& tap : taps_) {
    tap.moments = Moments();
    watches.push_back(
        tapped_.observe(tap.name, [this, &tap](const at::Tensor& value) { take(tap, value); }));
  }
  for_each_batch(samples, model_.device(), [&](const Batch& batch, std::int64_t) {
    if (taps_.size() == 1 && !tapped_.point(taps_[0].name).in_control_flow)
      tapped_.forward_until(taps_[0].name, batch.inputs);
    else
      tapped_.forward_values(model_.arguments(batch.inputs));
  });
}

JacobianFigures Probe::jacobian(const Tap& tap, const Source& samples) const {
  std::vector<std::int64_t> all(static_cast<std::size_t>(samples.data->size()));
  std::iota(all.begin(), all.end(), 0);
  std::vector<at::Tensor> first =
      samples.data->slice(0, std::min(samples.data->size(), samples.batch_size)).inputs;
  for (at::Tensor& input : first) input = input.to(model_.device());
  try {
    const auto layer = std::make_shared<LayerJacobian>(model_, tap.name, options_.to, first);
    const auto stack = JacobianStack::of(
        layer, samples.data, all,
        {.memory_mb = memory_mb_, .batch_size = std::max<std::int64_t>(1, samples.batch_size)});
    JacobianFigures figures;
    stack.for_each(
        [&](const JacobianStack::Part& part) { figures.add(part.blocks, part.weights); });
    return figures;
  } catch (const Error& error) {
    throw cannot_probe(error, error.complaint().where);
  }
}

/// The model may have been converted since the samples were read.
Source Probe::in_dtype_of_model(const std::optional<Source>& samples) const {
  if (!samples) return {};
  if (model_.dtype() == dtype_) return *samples;
  return with_dtype(*samples, model_.dtype());
}

Probe::Measured Probe::measure(std::int64_t step, const std::optional<Source>& samples) {
  const Source used = in_dtype_of_model(samples_ ? samples_ : samples);
  if (takes_values_) gather(used);
  std::vector<std::string> newest;
  Measured measured;
  for (Tap& tap : taps_) {
    ProbedTap probed(
        tap.moments, &tap.stencil,
        tap.weight.defined() ? tap.weight.to(at::kCPU, at::kDouble).flatten(1) : at::Tensor(),
        [&] { return jacobian(tap, used); });
    std::vector<std::string> texts;
    for (const ProbeMeasure* measure : measures_) {
      ProbeRecord record{.tap = tap.name, .measure = measure->name};
      measure->measure(probed, record);
      if (measure->whole != nullptr)
        measured.wholes[tap.name + "." + measure->name] = measure->whole(probed);
      std::vector<std::string> values;
      for (const ProbeCurve& curve : measure->curves) {
        const std::optional<double>& value = record.numbers.at(curve.key);
        values.push_back(value ? fmt::format("{:.4g}", *value) : "-");
      }
      texts.push_back(fmt::format("{} {}", measure->name, fmt::join(values, "/")));
      measured.records.push_back(std::move(record));
    }
    newest.push_back(fmt::format("{} {}", tap.name, fmt::join(texts, ", ")));
  }
  last_step_ = step;
  newest_ = std::move(newest);
  return measured;
}

std::optional<std::string> Probe::new_line() {
  constexpr std::size_t shown = 3;
  if (last_step_ == told_step_) return std::nullopt;
  told_step_ = last_step_;
  const std::size_t count = std::min(shown, newest_.size());
  std::string line = fmt::format(
      "step {}: {}", last_step_,
      fmt::join(newest_.begin(), newest_.begin() + static_cast<std::ptrdiff_t>(count), "; "));
  if (count < newest_.size()) line += fmt::format("; and {} more", newest_.size() - count);
  return line;
}

}  // namespace descramble
