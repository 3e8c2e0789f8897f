#include "descramble/analysis/patch.h"

#include <algorithm>
#include <functional>
#include <set>
#include <utility>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/analysis/loss.h"
#include "descramble/core/error.h"
#include "descramble/data/batches.h"
#include "descramble/model/snapshot.h"
#include "descramble/taps/axis.h"
#include "descramble/taps/tapped_model.h"

namespace descramble {

namespace {

/// Puts rows of a donor in place of a tap's values.
class RowPatch {
 public:
  RowPatch(TapPoint point, const PatchOptions& options)
      : tap_(point.name), point_(std::move(point)), options_(options) {
    if (!options.units) return;
    const std::vector<std::int64_t>& units = *options.units;
    if (units.empty()) throw Error({"units", "units", "at least one, or null for all", "none"});
    if (std::set<std::int64_t>(units.begin(), units.end()).size() != units.size())
      throw Error({"units", "units", "each unit once", fmt::format("{}", fmt::join(units, ", "))});
  }

  /// The next runs patch the rows begin … end − 1.
  void expect(std::int64_t begin, std::int64_t end) {
    begin_ = begin;
    end_ = end;
    fired_ = 0;
  }

  at::Tensor operator()(const at::Tensor& value) {
    if (++fired_ > 1) {
      throw Error({"the tap fires several times in one pass", where(),
                   "one value for each sample, to be replaced by one row", "a second value"});
    }
    require_fit(value);
    at::Tensor rows =
        options_.donor.values.slice(0, begin_, end_).to(value.device(), value.scalar_type());
    if (options_.units) rows = with_units(value, rows);
    // In the memory order of the value: with another order, kernels would round differently.
    return at::empty_like(value).copy_(rows);
  }

  bool converts() const { return converts_; }

 private:
  std::string where() const { return "tap '" + tap_ + "'"; }

  void require_fit(const at::Tensor& value) {
    if (value.dim() == 0 || value.size(0) != end_ - begin_) {
      throw Error({"the tap cannot be patched", where(),
                   fmt::format("one row for each of {} samples", end_ - begin_),
                   shape_text(value)});
    }
    if (value.sizes().slice(1) != options_.donor.values.sizes().slice(1)) {
      throw Error(
          {"the capture does not fit the tap", where(),
           fmt::format("samples of shape [{}]", fmt::join(value.sizes().slice(1), ", ")),
           fmt::format("[{}] in '{}'", fmt::join(options_.donor.values.sizes().slice(1), ", "),
                       options_.donor.name)});
    }
    const auto single_or_double = [](at::ScalarType type) {
      return type == at::kFloat || type == at::kDouble;
    };
    converts_ = value.scalar_type() != options_.donor.values.scalar_type();
    if (converts_ && !(single_or_double(value.scalar_type()) &&
                       single_or_double(options_.donor.values.scalar_type()))) {
      throw Error(
          {"the capture does not fit the tap", where(), dtype_name(value.scalar_type()),
           dtype_name(options_.donor.values.scalar_type()) + " in '" + options_.donor.name + "'"});
    }
  }

  at::Tensor with_units(const at::Tensor& value, const at::Tensor& rows) const {
    const Axis axis = options_.axis.value_or(default_axis(value, point_));
    const std::int64_t size = axis_size(value, axis);
    for (const std::int64_t unit : *options_.units) {
      if (unit < 0 || unit >= size) {
        throw Error({"no such unit", where(),
                     fmt::format("0 to {} along the axis '{}'", size - 1, axis_name(axis)),
                     std::to_string(unit)});
      }
    }
    const at::Tensor index = at::tensor(*options_.units).to(value.device());
    const at::Tensor patched = to_rows(value, axis).clone();
    patched.index_copy_(1, index, to_rows(rows, axis).index_select(1, index));
    return from_rows(patched, value, axis);
  }

  std::string tap_;
  TapPoint point_;
  const PatchOptions& options_;
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
  int fired_ = 0;
  bool converts_ = false;
};

Source patched_samples(const Subject& subject, const PatchOptions& options) {
  const Source& source = subject.source(options.data);
  if (!source.data->has_labels())
    throw Error({"cannot evaluate", "/data", "a source with labels", "one without"});
  const at::Tensor& values = options.donor.values;
  if (!values.defined() || values.dim() == 0 || values.size(0) == 0) {
    throw Error({"no rows in '" + options.donor.name + "'", "", "at least one",
                 values.defined() ? shape_text(values) : "an undefined tensor"});
  }
  const std::int64_t count = values.size(0);
  if (count > source.data->size()) {
    throw Error({"the capture has more rows than the data has samples",
                 "'" + options.donor.name + "'",
                 fmt::format("at most {} ({})", source.data->size(), split_name(options.data)),
                 std::to_string(count)});
  }
  return with_size(source, count);
}

}  // namespace

Patched patch(const Subject& subject, const PatchOptions& options, Progress& progress) {
  const Source source = patched_samples(subject, options);
  const TappedModel tapped = tap_model(subject.model, {options.tap});
  RowPatch rows(tapped.point(options.tap), options);
  const at::NoGradGuard no_grad;
  Patched result{.count = source.data->size()};
  if (options.donor.labels.defined()) result.by_donor.emplace();
  std::int64_t same = 0;
  bool classes = true;  // the outputs are of classes
  std::vector<at::Tensor> logits_before;
  std::vector<at::Tensor> logits_after;
  progress.begin("patch", result.count);
  subject.model.restart();
  for_each_batch(source, subject.model.device(), [&](const Batch& batch, std::int64_t begin) {
    const std::int64_t end = begin + batch.inputs.at(0).size(0);
    const Snapshot before_batch(subject.model);
    const at::Tensor untouched = tapped.forward(batch.inputs);
    const Snapshot after_batch(subject.model);
    before_batch.restore();
    rows.expect(begin, end);
    const Watch watch = tapped.replace(options.tap, std::ref(rows));
    const at::Tensor patched = tapped.forward(batch.inputs);
    after_batch.restore();  // the next batch starts from the state of the untouched model
    result.before.add(untouched, batch.labels);
    result.after.add(patched, batch.labels);
    if (result.by_donor) result.by_donor->add(patched, options.donor.labels.slice(0, begin, end));
    classes = classes && !batch.labels.is_floating_point();
    if (classes) {
      const at::Tensor said = at::argmax(class_logits(untouched), 1);
      same += said.eq(at::argmax(class_logits(patched), 1)).sum().item<std::int64_t>();
    }
    logits_before.push_back(untouched.to(at::kCPU).clone());
    logits_after.push_back(patched.to(at::kCPU).clone());
    progress.advance(end - begin);
  });
  progress.end();
  if (classes) result.same = same;
  result.logits_before = at::cat(logits_before);
  result.logits_after = at::cat(logits_after);
  if (rows.converts()) {
    result.warnings.push_back("the capture is " + dtype_name(options.donor.values.scalar_type()) +
                              ", converted to the tap's dtype");
  }
  return result;
}

}  // namespace descramble
