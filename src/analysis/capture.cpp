#include "descramble/analysis/capture.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/data/batches.h"
#include "descramble/taps/select.h"
#include "descramble/taps/tapped_model.h"

namespace descramble {

namespace {

/// The values of one tap put together.
at::Tensor whole_of(const std::string& tap, const std::vector<at::Tensor>& values) {
  for (const at::Tensor& value : values) {
    if (value.dim() == values[0].dim() && value.sizes().slice(1) == values[0].sizes().slice(1))
      continue;
    throw Error({"the tap's shape changes from batch to batch", "tap '" + tap + "'",
                 shape_text(values[0]), shape_text(value)});
  }
  return at::cat(values);
}

}  // namespace

Captured capture(const Subject& subject, const CaptureOptions& options, Progress& progress) {
  const std::vector<std::string> taps = select_taps(subject.model, options.taps);
  const Source source = with_size(subject.source(options.data), options.limit);
  const TappedModel tapped = tap_model(subject.model, taps);
  std::vector<std::vector<at::Tensor>> values(taps.size());
  std::vector<Watch> watches;
  double bytes = 0;
  for (std::size_t i = 0; i < taps.size(); ++i) {
    watches.push_back(tapped.observe(taps[i], [&, i](const at::Tensor& value) {
      bytes += static_cast<double>(value.nbytes());
      if (bytes > static_cast<double>(subject.memory_mb) * 1048576.0) {
        throw Error({"the captured values are too large", "tap '" + taps[i] + "'",
                     fmt::format("at most {} MiB (memory_mb) in all", subject.memory_mb),
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
  Captured result;
  std::vector<at::Tensor> labels;
  progress.begin("capture", source.data->size());
  subject.model.restart();
  for_each_batch(source, subject.model.device(), [&](const Batch& batch, std::int64_t) {
    tapped.forward_values(subject.model.arguments(batch.inputs));
    result.count += batch.inputs[0].size(0);
    if (batch.labels.defined()) labels.push_back(batch.labels);
    progress.advance(batch.inputs[0].size(0));
  });
  progress.end();
  for (std::size_t i = 0; i < taps.size(); ++i) {
    result.taps.push_back({taps[i], whole_of(taps[i], values[i])});
    const std::int64_t rows = result.taps.back().values.size(0);
    if (rows == result.count) continue;
    result.warnings.push_back(fmt::format(
        "tap '{}' has {} rows for {} samples: row i is not sample i", taps[i], rows, result.count));
  }
  if (!labels.empty()) result.labels = at::cat(labels);
  return result;
}

}  // namespace descramble
