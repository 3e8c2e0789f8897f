#include "experiment/tap_pass.h"

#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/random.h"
#include "descramble/taps/tapped_model.h"

namespace descramble {

Field axis_field() {
  return {.name = "axis",
          .type = FieldType::string,
          .doc =
              "what is rotated: features (last dimension), channels (dimension 1, every position a "
              "sample) or neurons "
              "(all but the batch); null: features up to 3 dimensions, channels from 4 on",
          .fallback = nullptr,
          .choices = {"features", "channels", "neurons"}};
}

nlohmann::json tap_json(const TapMoments& tap) {
  return {{"name", tap.tap}, {"shape", tap.shape}, {"axis", axis_name(tap.axis)}};
}

RowChoice one_position(std::uint64_t seed) {
  return [seed](const std::string& tap, const at::Tensor& rows, std::int64_t samples,
                std::int64_t first) {
    const std::int64_t positions = rows.size(0) / samples;
    std::vector<std::int64_t> chosen;
    for (std::int64_t i = 0; i < samples; ++i) {
      RandomStream stream =
          random_stream(seed, "position/" + tap, static_cast<std::uint64_t>(first + i));
      chosen.push_back(i * positions + stream.below(positions));
    }
    return rows.index_select(0, at::tensor(chosen, at::kLong).to(rows.device()));
  };
}

std::vector<TapMoments> measure_taps(const Workspace& workspace, const Source& source,
                                     const std::vector<std::string>& taps,
                                     const nlohmann::json& axis, Progress& progress,
                                     const RowChoice& choose) {
  const TappedModel tapped = tap_model(workspace.model, taps);
  std::vector<TapMoments> measured(taps.size());
  std::vector<Watch> watches;
  std::int64_t batch_number = 0;
  std::int64_t first = 0;
  for (std::size_t i = 0; i < taps.size(); ++i) {
    measured[i].tap = taps[i];
    watches.push_back(tapped.observe(taps[i], [&, i](const at::Tensor& value) {
      TapMoments& tap = measured[i];
      if (!value.is_floating_point() || value.dim() == 0) {
        throw Error({"the value cannot be rotated", "tap '" + tap.tap + "'",
                     "a floating-point tensor with at least one dimension", shape_text(value)});
      }
      if (tap.moments.count() == 0) {
        tap.axis = axis.is_null() ? default_axis(value, tapped.point(tap.tap))
                                  : parse_axis(axis.get<std::string>());
        require_memory(axis_size(value, tap.axis), workspace.memory_mb, tap.tap, tap.axis);
        tap.shape = value.sizes().slice(1).vec();
        tap.dtype = value.scalar_type();
      }
      try {
        const at::Tensor rows = to_rows(value, tap.axis);
        tap.moments.add(choose ? choose(tap.tap, rows, value.size(0), first) : rows);
      } catch (const Error& error) {
        Complaint complaint = error.complaint();
        complaint.where = fmt::format("tap '{}', batch {}", tap.tap, batch_number);
        throw Error(complaint);
      }
    }));
  }
  const at::NoGradGuard no_grad;
  const std::string label = fmt::format(
      "moments of {}", taps.size() == 1 ? taps[0] : fmt::format("{} taps", taps.size()));
  for_each_batch(source, workspace.model, progress, label, [&](const Batch& batch) {
    tapped.forward_values(workspace.model.arguments(batch.inputs));
    first += batch.inputs.at(0).size(0);
    ++batch_number;
  });
  return measured;
}

}  // namespace descramble
