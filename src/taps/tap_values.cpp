#include "descramble/taps/tap_values.h"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/isfinite.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/data/batches.h"

namespace descramble {

namespace {

/// The tap's value for each batch of the data, with the inputs.
void visit_batches(
    const TappedModel& tapped, const std::string& tap, const Source& data,
    const std::function<void(const at::Tensor&, const std::vector<at::Tensor>&)>& visit) {
  const Model& model = tapped.model();
  // What lies behind the tap may write the state that the next batch starts from.
  const bool whole = model.state_policy() == StatePolicy::carry && !model.written().empty();
  model.restart();
  for_each_batch(data, tapped.model().device(), [&](const Batch& batch, std::int64_t) {
    const auto value = [&] {
      const c10::InferenceMode off(false);
      const at::NoGradGuard no_grad;  // of the network, not of what is done with the value
      if (!whole) return tapped.forward_until(tap, batch.inputs).detach();
      std::vector<at::Tensor> values;
      const Watch watch = tapped.capture(tap, values);
      tapped.forward_values(model.arguments(batch.inputs));
      return values.at(0).detach();
    };
    visit(value(), batch.inputs);
  });
}

double mebibytes(const at::Tensor& value) {
  return static_cast<double>(value.numel()) * static_cast<double>(value.element_size()) /
         (1024.0 * 1024.0);
}

}  // namespace

void TapValues::learn_shape(const at::Tensor& value, Axis axis) {
  if (!value.is_floating_point() || value.dim() == 0 || value.numel() == 0) {
    throw Error({"the value cannot be rotated", "tap '" + space_.name + "'",
                 "a floating-point tensor", shape_text(value)});
  }
  space_ = space_of(space_.name, value, axis);
}

TapValues::Part TapValues::part_of(const at::Tensor& value,
                                   const std::vector<at::Tensor>& inputs) const {
  if (value.dim() == 0 || value.sizes().slice(1) != at::IntArrayRef(space_.shape)) {
    throw Error({"the tap's shape changes from batch to batch", "tap '" + space_.name + "'",
                 fmt::format("a sample as in the first batch ({} numbers)",
                             c10::multiply_integers(space_.shape)),
                 shape_text(value)});
  }
  const at::Tensor rows = to_rows(value, space_.axis, selection_, inputs);
  if (!at::isfinite(rows).all().item<bool>())
    throw Error(
        {"the value is not finite", "tap '" + space_.name + "'", "finite numbers", "inf or nan"});
  return {rows, value.size(0)};
}

TapValues::TapValues(std::string tap, const at::Tensor& values, Axis axis) {
  space_.name = std::move(tap);
  learn_shape(values, axis);
  const c10::InferenceMode off(false);
  parts_.push_back(part_of(values.detach().clone(), {}));
  samples_ = values.size(0);
  count_ = parts_.back().rows.size(0);
}

TapValues TapValues::of(const TappedModel& tapped, const std::string& tap, const Source& data,
                        const Options& options) {
  TapValues result;
  result.space_.name = tap;
  result.selection_ = options.rows;
  const std::int64_t size = data.data->size();
  bool keep = true;
  const auto learn = [&](const at::Tensor& value, const std::vector<at::Tensor>& inputs) {
    if (result.samples_ == 0) {
      result.learn_shape(value, options.axis.value_or(default_axis(value, tapped.point(tap))));
      const double needed =
          mebibytes(value) / static_cast<double>(value.size(0)) * static_cast<double>(size);
      keep = needed <= static_cast<double>(options.memory_mb);
      if (!keep && options.together) {
        throw Error({"the values do not fit into memory together", "tap '" + tap + "'",
                     fmt::format("at most {} MiB", options.memory_mb),
                     fmt::format("{:.0f} MiB for {} samples", needed, size)});
      }
    }
    Part part = result.part_of(value, inputs);
    result.samples_ += part.samples;
    result.count_ += part.rows.size(0);
    // The live value may be overwritten by what the network does next.
    if (keep) result.parts_.push_back({part.rows.clone(), part.samples});
  };
  visit_batches(tapped, tap, data, learn);
  if (result.samples_ != size) {
    throw Error({"the tap does not hold one value for each sample", "tap '" + tap + "'",
                 fmt::format("{} samples", size), fmt::format("{}", result.samples_)});
  }
  if (result.count_ == 0)
    throw Error({"no row of the tap counts", "tap '" + tap + "'", "at least one row", "none"});
  if (!keep) {
    result.rerun_ = [tapped, tap, data,
                     shape = result](const std::function<void(const Part&)>& visit) {
      visit_batches(tapped, tap, data,
                    [&](const at::Tensor& value, const std::vector<at::Tensor>& inputs) {
                      visit(shape.part_of(value, inputs));
                    });
    };
  } else if (options.together && result.parts_.size() > 1) {
    std::vector<at::Tensor> rows;
    for (const Part& part : result.parts_) rows.push_back(part.rows);
    result.parts_ = {{at::cat(rows), result.samples_}};
  }
  return result;
}

void TapValues::for_each(const std::function<void(const Part& part)>& visit) const {
  const auto prepared = [&](const Part& part) {
    const at::Tensor rows = part.rows.to(at::kDouble);
    visit({mean_.defined() ? rows - mean_ : rows, part.samples});
  };
  if (rerun_) {
    rerun_(prepared);
    return;
  }
  for (const Part& part : parts_) prepared(part);
}

TapValues TapValues::centred() const {
  at::Tensor sum;
  for_each([&](const Part& part) {
    const at::Tensor partial = part.rows.sum(0);
    sum = sum.defined() ? sum + partial : partial;
  });
  TapValues result = *this;
  const at::Tensor mean = sum / static_cast<double>(rows());
  result.mean_ = mean_.defined() ? mean_ + mean : mean;
  return result;
}

RotationEdit TapValues::edit(const at::Tensor& rotation) const {
  return {space_.name, space_.axis, static_cast<std::int64_t>(space_.shape.size()) + 1, rotation,
          space_.dtype};
}

at::Tensor TapValues::shaped(const at::Tensor& rows, std::int64_t samples) const {
  if (!selection_.all()) {
    throw Error({"some rows do not make a value", "tap '" + space_.name + "'",
                 "all rows (no mask, no skip)", "a selection of rows"});
  }
  std::vector<std::int64_t> sizes = space_.shape;
  sizes.insert(sizes.begin(), samples);
  return from_rows(rows, sizes, space_.axis);
}

}  // namespace descramble
