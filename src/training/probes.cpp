#include "descramble/training/probes.h"

#include <chrono>
#include <exception>
#include <utility>

#include <ATen/core/ivalue.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/data/tensor_set.h"
#include "descramble/training/evaluation_scope.h"
#include "training/probe.h"

namespace descramble {

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

}  // namespace

std::vector<std::string> probe_measure_names() {
  std::vector<std::string> names;
  for (const ProbeMeasure& measure : probe_measures()) names.push_back(measure.name);
  return names;
}

std::string cost_text(const ProbeCost& cost) {
  std::string text = fmt::format("{} measurement{} in {:.2f} s", cost.measurements,
                                 cost.measurements == 1 ? "" : "s", cost.seconds);
  if (cost.training_seconds > 0) {
    text += fmt::format(", {:.1f} % of the {:.2f} s of the training",
                        100 * cost.seconds / cost.training_seconds, cost.training_seconds);
  }
  return text;
}

struct Probes::State {
  State(const Model& of, std::int64_t memory) : model(of), memory_mb(memory) {}

  /// @throws Error if the probe has no samples
  void require_samples(const Probe& probe, std::int64_t at_step, bool has_batch) const;
  void run(const std::vector<std::size_t>& due);
  Source newest_batch() const;
  void add(std::size_t number, Probe::Measured measured);

  Model model;
  std::int64_t memory_mb;
  std::vector<std::unique_ptr<Probe>> probes{};
  std::vector<ProbeSink> sinks{};
  std::vector<at::Tensor> inputs{};  ///< of the newest forward
  bool fresh = false;                ///< there was a forward since the last step
  std::vector<ProbeRecord> records{};
  std::size_t delivered = 0;  ///< records that the sinks have
  NamedTensors wholes{};
  std::int64_t step = 0;
  std::int64_t epoch = 0;
  std::optional<Clock::time_point> started{};
  ProbeCost cost{};
};

Probes::Probes(const Model& model, std::int64_t memory_mb)
    : state_(std::make_unique<State>(model, memory_mb)) {}

Probes::Probes(const Model& model, const ProbeOptions& options, const Source& samples,
               ProbeSink sink)
    : Probes(model) {
  add(options, samples);
  add_sink(std::move(sink));
}

Probes::Probes(const Model& model, const ProbeOptions& options, ProbeSink sink) : Probes(model) {
  add(options);
  add_sink(std::move(sink));
}

Probes::~Probes() = default;
Probes::Probes(Probes&&) noexcept = default;
Probes& Probes::operator=(Probes&&) noexcept = default;

bool Probes::empty() const {
  return !state_ || state_->probes.empty();
}

const std::vector<ProbeRecord>& Probes::records() const {
  return state_->records;
}

const NamedTensors& Probes::tensors() const {
  return state_->wholes;
}

ProbeCost Probes::cost() const {
  ProbeCost cost = state_->cost;
  if (state_->started) cost.training_seconds = seconds_since(*state_->started) - cost.seconds;
  return cost;
}

void Probes::add(const ProbeOptions& options, const std::optional<Source>& source,
                 const std::string& where) {
  auto probe = std::make_unique<Probe>(state_->model, options, state_->memory_mb, where);
  if (source) probe->set_samples(*source);
  state_->probes.push_back(std::move(probe));
}

void Probes::add_sink(ProbeSink sink) {
  if (sink) state_->sinks.push_back(std::move(sink));
}

at::Tensor Probes::forward(const std::vector<at::Tensor>& inputs) {
  if (!state_->started) state_->started = Clock::now();
  at::Tensor output = state_->model.forward(inputs);
  state_->inputs = inputs;
  state_->fresh = true;
  return output;
}

void Probes::State::require_samples(const Probe& probe, std::int64_t at_step,
                                    bool has_batch) const {
  if (!probe.runs_model() || probe.has_samples() || has_batch) return;
  throw Error({"a step without a forward", fmt::format("step {}", at_step),
               "Probes::forward() before Probes::step(), or a probe set", "neither"});
}

void Probes::State::add(std::size_t number, Probe::Measured measured) {
  for (ProbeRecord& record : measured.records) {
    record.probe = number;
    record.step = step;
    record.epoch = epoch;
    records.push_back(std::move(record));
  }
  for (auto& [name, tensor] : measured.wholes)
    wholes[fmt::format("probes.{}.{}", number, name)] = std::move(tensor);
  ++cost.measurements;
}

/// Sinks are called when the model is as it was. What was made before something failed goes to all
/// of them, too.
void Probes::State::run(const std::vector<std::size_t>& due) {
  if (due.empty()) return;
  const Clock::time_point start = Clock::now();
  std::exception_ptr failure;
  try {
    const EvaluationScope scope(model);
    std::optional<Source> batch;
    for (const std::size_t number : due) {
      Probe& probe = *probes[number];
      if (probe.runs_model() && !probe.has_samples() && !batch) batch = newest_batch();
      add(number, probe.measure(step, batch));
    }
  } catch (...) {
    failure = std::current_exception();
  }
  for (; delivered < records.size(); ++delivered) {
    for (const ProbeSink& sink : sinks) {
      try {
        sink(records[delivered]);
      } catch (...) {
        if (!failure) failure = std::current_exception();
      }
    }
  }
  cost.seconds += seconds_since(start);
  if (failure) std::rethrow_exception(failure);
}

Source Probes::State::newest_batch() const {
  const std::int64_t size = inputs[0].dim() > 0 ? inputs[0].size(0) : 0;
  for (const at::Tensor& input : inputs) {
    if (size > 0 && input.dim() > 0 && input.size(0) == size) continue;
    throw Error({"the batch cannot be probed", "Probes::forward()",
                 "inputs whose first dimension counts the same samples", shape_text(input)});
  }
  return tensor_set(inputs, {}, model.batched() ? size : 1);
}

void Probes::step() {
  for (const auto& probe : state_->probes)
    state_->require_samples(*probe, state_->step + 1, state_->fresh);
  at_step(state_->step + 1, state_->epoch);
}

void Probes::resume(std::int64_t step, std::int64_t epoch) {
  state_->step = step;
  state_->epoch = epoch;
}

void Probes::begin_epoch() {
  ++state_->epoch;
}

void Probes::at_step(std::int64_t step, std::int64_t epoch) {
  if (!state_->started) state_->started = Clock::now();
  state_->step = step;
  state_->epoch = epoch;
  std::vector<std::size_t> due;
  for (std::size_t i = 0; i < state_->probes.size(); ++i) {
    if (!state_->probes[i]->is_due(step)) continue;
    state_->require_samples(*state_->probes[i], step, state_->fresh);
    due.push_back(i);
  }
  state_->fresh = false;
  state_->run(due);
}

void Probes::at_end() {
  std::vector<std::size_t> due;
  for (std::size_t i = 0; i < state_->probes.size(); ++i) {
    if (state_->probes[i]->last_step() == state_->step) continue;
    state_->require_samples(*state_->probes[i], state_->step, !state_->inputs.empty());
    due.push_back(i);
  }
  state_->run(due);
}

std::vector<std::string> Probes::new_lines() {
  std::vector<std::string> result;
  for (const auto& probe : state_->probes) {
    if (auto line = probe->new_line()) result.push_back(*std::move(line));
  }
  return result;
}

}  // namespace descramble
