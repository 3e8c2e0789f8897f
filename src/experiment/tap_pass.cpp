#include "experiment/tap_pass.h"

#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

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

std::vector<TapMoments> measure_taps(const Workspace& workspace, const Source& source,
                                     const std::vector<std::string>& taps,
                                     const nlohmann::json& axis, Progress& progress) {
  const TappedModel tapped = tap_model(workspace.model, taps);
  std::vector<TapMoments> measured(taps.size());
  std::vector<Watch> watches;
  for (std::size_t i = 0; i < taps.size(); ++i) {
    measured[i].tap = taps[i];
    watches.push_back(
        tapped.observe(taps[i], [&measured, i, &axis, &workspace](const at::Tensor& value) {
          TapMoments& tap = measured[i];
          if (!value.is_floating_point() || value.dim() == 0) {
            throw Error({"the value cannot be rotated", "tap '" + tap.tap + "'",
                         "a floating-point tensor", shape_text(value)});
          }
          if (tap.moments.count() == 0) {
            tap.axis = axis.is_null() ? default_axis(value) : parse_axis(axis.get<std::string>());
            require_memory(axis_size(value, tap.axis), workspace.memory_mb, tap.tap, tap.axis);
            tap.shape = value.sizes().slice(1).vec();
            tap.dtype = value.scalar_type();
          }
          try {
            tap.moments.add(to_rows(value, tap.axis));
          } catch (const Error& error) {
            Complaint complaint = error.complaint();
            complaint.where = "tap '" + tap.tap + "'";
            throw Error(complaint);
          }
        }));
  }
  const at::NoGradGuard no_grad;
  const std::string label = fmt::format(
      "moments of {}", taps.size() == 1 ? taps[0] : fmt::format("{} taps", taps.size()));
  for_each_batch(source, workspace.model.device(), progress, label, [&](const Batch& batch) {
    tapped.forward_values({batch.inputs.begin(), batch.inputs.end()});
  });
  return measured;
}

}  // namespace descramble
