#include "experiment/probes.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <set>

#include <ATen/core/ivalue.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/experiment/train.h"
#include "descramble/taps/axis.h"
#include "descramble/taps/select.h"
#include "descramble/taps/tapped_model.h"
#include "experiment/evaluation_scope.h"
#include "experiment/probe_measures.h"

namespace descramble {

using nlohmann::json;

const FieldSet& probe_fields() {
  static const FieldSet set = [] {
    std::vector<std::string> measures;
    for (const ProbeMeasure& measure : probe_measures()) measures.push_back(measure.name);
    return FieldSet{"probe",
                    {{.name = "taps",
                      .type = FieldType::names,
                      .doc = "tap points that are measured: names or globs"},
                     {.name = "every",
                      .type = FieldType::integer,
                      .doc = "optimiser steps between two measurements; the beginning and the end "
                             "are measured too",
                      .fallback = 100,
                      .minimum = 1},
                     {.name = "measure",
                      .type = FieldType::names,
                      .doc = "what is measured",
                      .fallback = Fallback::json(R"(["spectrum", "smoothness"])"),
                      .choices = measures},
                     {.name = "samples",
                      .type = FieldType::integer,
                      .doc = "size of the probe set: the first samples of the source",
                      .fallback = 512,
                      .minimum = 1},
                     data_field("train"),
                     {.name = "stencil",
                      .type = FieldType::string,
                      .doc = "the differentiation stencil of the smoothness",
                      .fallback = "fourier_second",
                      .choices = stencil_names()}}};
  }();
  return set;
}

namespace {

std::vector<std::string> name_list(const json& names) {
  if (names.is_string()) return {names.get<std::string>()};
  return names.get<std::vector<std::string>>();
}

/// The weight of the layer that is tapped. @throws Error where there is none
at::Tensor tapped_weight(const Model& model, const std::string& tap, const std::string& pointer) {
  for (const auto& [name, parameter] : model.parameters()) {
    if (name == tap + ".weight" && parameter.dim() >= 2) return parameter;
  }
  throw Error({"tap '" + tap + "' has no weight", pointer,
               "a linear or convolution layer for the measure 'diagonal_sum'",
               "none of that name"});
}

}  // namespace

struct Probes::Probe {
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
      throw Failure(complaint);
    }
  }

  /// One pass over the probe set; no further than the tap where there is only one.
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

Probes::Probes(const json& resolved, const Workspace& workspace) {
  for (std::size_t i = 0; i < resolved.size(); ++i) {
    const json& settings = resolved[i];
    const std::string pointer = fmt::format("/train/probes/{}", i);
    const std::vector<std::string> names = with_complaint(
        [&](Complaint& complaint) { complaint.where = pointer + "/taps"; },
        [&] { return select_taps(workspace.model, name_list(settings.at("taps"))); });
    auto probe = std::make_unique<Probe>(workspace.model, names);
    probe->stencil = parse_stencil(settings.at("stencil"));
    probe->every = settings.at("every");
    probe->memory_mb = workspace.memory_mb;
    const std::vector<std::string> wanted = name_list(settings.at("measure"));
    bool needs_weight = false;
    for (const ProbeMeasure& measure : probe_measures()) {
      if (std::find(wanted.begin(), wanted.end(), measure.name) == wanted.end()) continue;
      probe->measures.push_back(&measure);
      probe->runs_model = probe->runs_model || measure.needs_values;
      needs_weight = needs_weight || measure.needs_weight;
    }
    for (const std::string& name : names) {
      Probe::Tap tap{.name = name};
      if (needs_weight) tap.weight = tapped_weight(workspace.model, name, pointer + "/taps");
      probe->taps.push_back(std::move(tap));
    }
    if (probe->runs_model) {
      const Source& source = workspace.source(settings.at("data"));
      const std::int64_t samples =
          std::min(settings.at("samples").get<std::int64_t>(), source.data->size());
      for (std::int64_t begin = 0; begin < samples; begin += source.batch_size) {
        std::vector<at::Tensor> inputs =
            source.data->slice(begin, std::min(samples, begin + source.batch_size)).inputs;
        for (at::Tensor& input : inputs) input = input.to(workspace.model.device());
        probe->batches.push_back(std::move(inputs));
      }
    }
    probes_.push_back(std::move(probe));
  }
}

Probes::~Probes() = default;

void Probes::measure(std::size_t number, std::int64_t step, std::int64_t epoch) {
  Probe& probe = *probes_[number];
  const EvaluationScope scope(probe.model);
  if (probe.runs_model) probe.gather();
  probe.last_step = step;
  probe.newest.clear();
  for (Probe::Tap& tap : probe.taps) {
    const at::Tensor weight =
        tap.weight.defined() ? tap.weight.to(at::kCPU, at::kDouble).flatten(1) : at::Tensor();
    ProbedTap probed(tap.moments, &tap.stencil, weight);
    std::string text = tap.name;
    for (const ProbeMeasure* measure : probe.measures) {
      json record = {{"probe", number},
                     {"step", step},
                     {"epoch", epoch},
                     {"tap", tap.name},
                     {"measure", measure->name}};
      record.update(measure->measure(probed));
      if (measure->whole != nullptr)
        wholes_[fmt::format("probes.{}.{}.{}", number, tap.name, measure->name)] =
            measure->whole(probed);
      std::vector<std::string> values;
      for (const ProbeCurve& curve : measure->curves) {
        const json& value = record.at(curve.key);
        values.push_back(value.is_null() ? "-" : fmt::format("{:.4g}", value.get<double>()));
      }
      text += fmt::format("{} {} {}", measure == probe.measures.front() ? "" : ",", measure->name,
                          fmt::join(values, "/"));
      records_.push_back(std::move(record));
    }
    probe.newest.push_back(text);
  }
}

void Probes::at_step(std::int64_t step, std::int64_t epoch) {
  step_ = step;
  epoch_ = epoch;
  for (std::size_t i = 0; i < probes_.size(); ++i) {
    if (step % probes_[i]->every == 0) measure(i, step, epoch);
  }
}

void Probes::at_end() {
  for (std::size_t i = 0; i < probes_.size(); ++i) {
    if (probes_[i]->last_step != step_) measure(i, step_, epoch_);
  }
}

std::vector<std::string> Probes::new_lines() {
  constexpr std::size_t shown = 3;
  std::vector<std::string> result;
  for (const auto& probe : probes_) {
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

std::vector<NamedFigure> Probes::figures() const {
  std::vector<NamedFigure> result;
  for (const ProbeMeasure& measure : probe_measures()) {
    Figure figure{.title = measure.title, .x_title = "optimiser step", .y_title = measure.y_title};
    bool positive = true;
    std::set<std::size_t> involved;
    // Curves in the order of their taps' first record.
    std::map<std::string, std::size_t> index;
    for (const json& record : records_) {
      if (record.at("measure") == measure.name)
        involved.insert(record.at("probe").get<std::size_t>());
    }
    for (const json& record : records_) {
      if (record.at("measure") != measure.name) continue;
      for (const ProbeCurve& curve : measure.curves) {
        std::string label = record.at("tap");
        if (!curve.label.empty()) label += " " + curve.label;
        if (involved.size() > 1)
          label += fmt::format(", probe {}", record.at("probe").get<std::size_t>());
        const auto [found, added] = index.emplace(label, figure.series.size());
        if (added) figure.series.push_back({.label = label});
        Series& series = figure.series[found->second];
        const json& value = record.at(curve.key);
        series.x.push_back(record.at("step"));
        series.y.push_back(value.is_null() ? std::numeric_limits<double>::quiet_NaN()
                                           : value.get<double>());
        positive = positive && !(series.y.back() <= 0);
      }
    }
    const bool drawable =
        std::any_of(figure.series.begin(), figure.series.end(), [](const Series& series) {
          return std::any_of(series.y.begin(), series.y.end(),
                             [](double y) { return std::isfinite(y); });
        });
    if (!drawable) continue;
    figure.log_y = measure.log_y && positive;
    result.push_back({"probe_" + measure.name, std::move(figure)});
  }
  return result;
}

}  // namespace descramble
