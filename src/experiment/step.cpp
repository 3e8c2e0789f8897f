#include "experiment/step.h"

#include <algorithm>

#include <fmt/format.h>

#include "data/forwarding_set.h"
#include "descramble/config/registry.h"
#include "descramble/core/interrupt.h"
#include "descramble/taps/select.h"

namespace descramble {

#define DESCRAMBLE_KIND(name) const StepKind& step_kind_##name();
#include "experiment/builtin.def"
#undef DESCRAMBLE_KIND

namespace {

const Registry<StepKind>& step_registry() {
  static const Registry<StepKind> registry = [] {
    std::vector<StepKind> kinds = {
#define DESCRAMBLE_KIND(name) step_kind_##name(),
#include "experiment/builtin.def"
#undef DESCRAMBLE_KIND
    };
    return Registry("step", std::move(kinds));
  }();
  return registry;
}

}  // namespace

const std::vector<StepKind>& step_kinds() {
  return step_registry().kinds();
}

const KindFamily& step_family() {
  return step_registry().family();
}

const StepKind& step_kind(const std::string& name) {
  return step_registry().at(name);
}

std::string step_place(const nlohmann::json& steps, std::size_t number) {
  return fmt::format("/steps/{} ({})", number, steps[number].at("kind").get<std::string>());
}

void check_steps(const nlohmann::json& steps) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const StepKind& kind = step_kind(steps[i].at("kind"));
    if (kind.check != nullptr) in_step(steps, i, [&] { kind.check(steps, i); });
  }
}

Field data_field(const char* fallback) {
  return {.name = "data",
          .type = FieldType::string,
          .doc = "which of the two sources it runs on",
          .fallback = fallback,
          .choices = {"train", "test"}};
}

namespace {

class Converted final : public ForwardingSet {
 public:
  Converted(std::shared_ptr<const DataSet> inner, at::ScalarType dtype)
      : ForwardingSet(std::move(inner)), dtype_(dtype) {}
  Batch gather(const std::vector<std::int64_t>& indices) const override {
    Batch batch = ForwardingSet::gather(indices);
    for (at::Tensor& input : batch.inputs) {
      if (input.is_floating_point()) input = input.to(dtype_);
    }
    if (batch.labels.defined() && batch.labels.is_floating_point())
      batch.labels = batch.labels.to(dtype_);
    return batch;
  }

 private:
  at::ScalarType dtype_;
};

class FirstSamples final : public ForwardingSet {
 public:
  FirstSamples(std::shared_ptr<const DataSet> inner, std::int64_t size)
      : ForwardingSet(std::move(inner)), size_(size) {}
  std::int64_t size() const override { return size_; }

 private:
  std::int64_t size_;
};

}  // namespace

Source with_dtype(const Source& source, at::ScalarType dtype) {
  return {std::make_shared<Converted>(source.data, dtype), source.batch_size};
}

Source with_size(const Source& source, std::int64_t size) {
  return {std::make_shared<FirstSamples>(source.data, size), source.batch_size};
}

void for_each_batch(const Source& source, const Model& model, Progress& progress,
                    const std::string& label, const std::function<void(const Batch&)>& visit) {
  const std::int64_t size = source.data->size();
  progress.begin(label, size);
  model.restart();
  for (std::int64_t begin = 0; begin < size; begin += source.batch_size) {
    check_interrupt();
    const std::int64_t end = std::min(size, begin + source.batch_size);
    Batch batch = source.data->slice(begin, end);
    for (at::Tensor& input : batch.inputs) input = input.to(model.device());
    visit(batch);
    progress.advance(end - begin);
  }
  progress.end();
}

std::vector<std::string> step_taps(const nlohmann::json& resolved, const Model& model) {
  std::vector<std::string> selectors;
  const auto add = [&selectors](const nlohmann::json& value) {
    if (value.is_string()) selectors.push_back(value);
    if (value.is_array()) selectors = value.get<std::vector<std::string>>();
  };
  if (resolved.contains("tap")) add(resolved["tap"]);
  if (resolved.contains("taps")) add(resolved["taps"]);
  return select_taps(model, selectors);
}

void require_taps(const Model& model, const std::vector<std::string>& names,
                  const std::string& pointer) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string place = names.size() == 1 ? pointer : fmt::format("{}/{}", pointer, i);
    with_complaint([&](Complaint& complaint) { complaint.where = place; },
                   [&] { select_taps(model, {names[i]}); });
  }
}

std::vector<std::string> positioned_taps(const nlohmann::json& resolved, const Model& model) {
  const std::string position = resolved.at("position");
  std::vector<std::string> result;
  for (const std::string& tap : step_taps(resolved, model)) {
    const bool is_input = tap.ends_with(".input");
    if (position != "after" && !is_input) result.push_back(tap + ".input");
    if (position != "before" || is_input) result.push_back(tap);
  }
  return result;
}

}  // namespace descramble
