#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/interrupt.h"
#include "descramble/taps/tapped_model.h"
#include "experiment/step.h"

namespace descramble {

namespace {

StepResult run_capture(const nlohmann::json& resolved, const Workspace& workspace,
                       Progress& progress) {
  const std::vector<std::string> taps = step_taps(resolved, workspace.model);
  const std::string split = resolved.at("data");
  const Source& all = workspace.source(split);
  const std::int64_t limit =
      std::min<std::int64_t>(resolved.at("limit").get<std::int64_t>(), all.data->size());
  const TappedModel tapped = tap_model(workspace.model, taps);
  std::vector<std::vector<at::Tensor>> values(taps.size());
  std::vector<Watch> watches;
  double bytes = 0;
  for (std::size_t i = 0; i < taps.size(); ++i) {
    watches.push_back(tapped.observe(taps[i], [&, i](const at::Tensor& value) {
      bytes += static_cast<double>(value.nbytes());
      if (bytes > static_cast<double>(workspace.memory_mb) * 1048576.0) {
        throw Error({"the captured values are too large", "tap '" + taps[i] + "'",
                     fmt::format("at most {} MiB (memory_mb) in all", workspace.memory_mb),
                     "more: lower 'limit'"});
      }
      if (value.is_quantized()) {
        throw Error({"the value cannot be saved", "tap '" + taps[i] + "'",
                     "a value that is not quantised (dequantised values follow it)",
                     shape_text(value)});
      }
      const at::Tensor kept = value.detach().to(at::kCPU).clone();
      values[i].push_back(kept.dim() == 0 ? kept.reshape({1}) : kept);
    }));
  }
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> labels;
  std::int64_t seen = 0;
  progress.begin("capture", limit);
  workspace.model.restart();
  for (std::int64_t begin = 0; begin < limit; begin += all.batch_size) {
    check_interrupt();
    Batch batch = all.data->slice(begin, std::min(limit, begin + all.batch_size));
    for (at::Tensor& input : batch.inputs) input = input.to(workspace.model.device());
    tapped.forward_values(workspace.model.arguments(batch.inputs));
    seen += batch.inputs[0].size(0);
    if (batch.labels.defined()) labels.push_back(batch.labels);
    progress.advance(batch.inputs[0].size(0));
  }
  progress.end();
  StepResult result;
  result.json = {{"data", split},
                 {"count", seen},
                 {"taps", nlohmann::json::array()},
                 {"warnings", nlohmann::json::array()}};
  for (std::size_t i = 0; i < taps.size(); ++i) {
    for (const at::Tensor& value : values[i]) {
      if (value.dim() != values[i][0].dim() ||
          value.sizes().slice(1) != values[i][0].sizes().slice(1)) {
        throw Error({"the tap's shape changes from batch to batch", "tap '" + taps[i] + "'",
                     shape_text(values[i][0]), shape_text(value)});
      }
    }
    const at::Tensor whole = at::cat(values[i]);
    result.json["taps"].push_back({{"name", taps[i]},
                                   {"shape", whole.sizes().slice(1).vec()},
                                   {"dtype", dtype_name(whole.scalar_type())}});
    result.tensors[taps[i] + ".values"] = whole;
    result.lines.push_back(fmt::format("{}: {} {}", taps[i], fmt::join(whole.sizes(), "x"),
                                       dtype_name(whole.scalar_type())));
    if (whole.size(0) == seen) continue;
    const std::string warning = fmt::format(
        "tap '{}' has {} rows for {} samples: row i is not sample i", taps[i], whole.size(0), seen);
    result.json["warnings"].push_back(warning);
    result.lines.push_back("  warning: " + warning);
  }
  if (!labels.empty()) result.tensors["labels"] = at::cat(labels);
  return result;
}

}  // namespace

const StepKind& step_kind_capture() {
  static const StepKind kind{
      .info = {.name = "capture",
               .summary =
                   "The values at taps for the first samples, in the model's own dtype, as tensors",
               .fields = {{.name = "taps",
                           .type = FieldType::names,
                           .doc = "tap points: names or globs (* within one component, ** across)"},
                          {.name = "limit",
                           .type = FieldType::integer,
                           .doc = "number of samples",
                           .fallback = 256,
                           .minimum = 1},
                          data_field("train")}},
      .run = run_capture};
  return kind;
}

}  // namespace descramble
