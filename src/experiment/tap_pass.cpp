#include "experiment/tap_pass.h"

#include <algorithm>

#include <ATen/TensorOperators.h>
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

namespace {

const FieldSet& row_fields() {
  static const FieldSet fields{
      .title = "rows",
      .fields = {{.name = "mask",
                  .type = FieldType::string,
                  .doc = "an input of the data, other than 0 where a row counts (an attention "
                         "mask); null: all rows count",
                  .fallback = nullptr},
                 {.name = "skip",
                  .type = FieldType::integer,
                  .doc = "the first so many of each sample's rows that the mask leaves do not "
                         "count (the token that begins a sequence)",
                  .fallback = 0,
                  .minimum = 0}}};
  return fields;
}

/// Of each sample one of its rows that count, as numbers of rows.
at::Tensor one_row_each(const at::Tensor& counted, const std::string& tap, std::uint64_t seed,
                        std::int64_t first) {
  const at::Tensor flags = counted.to(at::kCPU).contiguous();
  const bool* counts = flags.data_ptr<bool>();
  const std::int64_t positions = counted.size(1);
  std::vector<std::int64_t> chosen;
  std::vector<std::int64_t> places;  // of one sample
  for (std::int64_t i = 0; i < counted.size(0); ++i) {
    places.clear();
    for (std::int64_t row = i * positions; row < (i + 1) * positions; ++row) {
      if (counts[row]) places.push_back(row);
    }
    if (places.empty()) continue;
    RandomStream stream =
        random_stream(seed, "position/" + tap, static_cast<std::uint64_t>(first + i));
    chosen.push_back(places[static_cast<std::size_t>(stream.below(std::ssize(places)))]);
  }
  return at::tensor(chosen, at::kLong).to(counted.device());
}

/// The rows of a value that a step looks at.
at::Tensor rows_in_use(const at::Tensor& value, const TapMoments& tap, const RowUse& use,
                       const std::vector<at::Tensor>& inputs, std::uint64_t seed,
                       std::int64_t first) {
  if (!use.one_position) return to_rows(value, tap.axis, use.selection, inputs);
  const at::Tensor counted = counted_rows(use.selection, value, tap.axis, inputs);
  return to_rows(value, tap.axis)
      .index_select(0, one_row_each(counted.reshape({value.size(0), -1}), tap.tap, seed, first));
}

/// Which rows count is told by sample: values in which positions stand in front of the samples
/// would be read the wrong way round where there are as many of both.
void require_samples_first(const Workspace& workspace, const std::vector<std::string>& taps) {
  const std::vector<at::Tensor> all = workspace.check.first_batch();
  const std::int64_t count = all.at(0).size(0);
  if (workspace.check.only_batch || count < 2) return;
  std::vector<at::Tensor> fewer;
  for (const at::Tensor& input : all) fewer.push_back(input.slice(0, 0, count - 1));
  const Model model = workspace.check_model();
  const TappedModel tapped = tap_model(model, taps);
  std::vector<std::vector<std::int64_t>> lengths(taps.size());
  std::vector<Watch> watches;
  for (std::size_t i = 0; i < taps.size(); ++i) {
    watches.push_back(tapped.observe(taps[i], [&lengths, i](const at::Tensor& value) {
      lengths[i].push_back(value.dim() == 0 ? 0 : value.size(0));
    }));
  }
  const at::NoGradGuard no_grad;
  for (const std::vector<at::Tensor>& inputs : {all, fewer})
    tapped.forward_values(model.arguments(inputs));
  for (std::size_t i = 0; i < taps.size(); ++i) {
    if (lengths[i].size() != 2 || lengths[i][0] * (count - 1) == lengths[i][1] * count) continue;
    throw Error({"rows are not told by sample", "tap '" + taps[i] + "'",
                 "a first dimension that grows with the number of samples",
                 fmt::format("{} for {} samples, {} for {}", lengths[i][0], count, lengths[i][1],
                             count - 1)});
  }
}

}  // namespace

Field rows_field() {
  return {.name = "rows",
          .type = FieldType::group,
          .doc = "which rows (positions of a sample: tokens, pixels) count; null: all",
          .fallback = nullptr,
          .fields = row_fields};
}

RowSelection row_selection(const nlohmann::json& resolved, const Workspace& workspace) {
  const nlohmann::json& rows = resolved.at("rows");
  RowSelection selection;
  if (rows.is_null()) return selection;
  selection.skip = rows.at("skip");
  if (rows.at("mask").is_null()) return selection;
  selection.mask_name = rows.at("mask");
  const std::vector<std::string>& names = workspace.check.names;
  const auto found = std::find(names.begin(), names.end(), selection.mask_name);
  if (found == names.end()) {
    throw Error({"the data have no such input", "rows/mask", "one of " + quoted_list(names),
                 "'" + selection.mask_name + "'"});
  }
  selection.mask = static_cast<std::size_t>(found - names.begin());
  return selection;
}

std::vector<TapMoments> measure_taps(const Workspace& workspace, const Source& source,
                                     const std::vector<std::string>& taps,
                                     const nlohmann::json& axis, const RowUse& use,
                                     Progress& progress) {
  const TappedModel tapped = tap_model(workspace.model, taps);
  std::vector<TapMoments> measured(taps.size());
  std::vector<Watch> watches;
  std::int64_t batch_number = 0;
  std::int64_t first = 0;
  const std::vector<at::Tensor>* inputs = nullptr;
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
      within(fmt::format("tap '{}', batch {}", tap.tap, batch_number), [&] {
        tap.moments.add(rows_in_use(value, tap, use, *inputs, workspace.seed, first));
      });
    }));
  }
  if (!use.selection.all() || use.one_position) require_samples_first(workspace, taps);
  const at::NoGradGuard no_grad;
  const std::string label = fmt::format(
      "moments of {}", taps.size() == 1 ? taps[0] : fmt::format("{} taps", taps.size()));
  for_each_batch(source, workspace.model, progress, label, [&](const Batch& batch) {
    inputs = &batch.inputs;
    tapped.forward_values(workspace.model.arguments(batch.inputs));
    first += batch.inputs.at(0).size(0);
    ++batch_number;
  });
  for (const TapMoments& tap : measured) {
    if (tap.moments.count() > 0) continue;
    throw Error({"no row of the tap counts", "tap '" + tap.tap + "'", "at least one row", "none"});
  }
  return measured;
}

}  // namespace descramble
