#include <algorithm>
#include <functional>
#include <set>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/interrupt.h"
#include "descramble/experiment/score.h"
#include "descramble/model/snapshot.h"
#include "descramble/taps/tapped_model.h"
#include "experiment/donor.h"
#include "experiment/tap_pass.h"

namespace descramble {

namespace {

using nlohmann::json;

/// Puts rows of a donor in place of a tap's values.
class Patch {
 public:
  Patch(TapPoint point, const Donor& donor, const json& resolved)
      : tap_(point.name), point_(std::move(point)), donor_(donor) {
    if (!resolved.at("axis").is_null()) axis_ = parse_axis(resolved.at("axis").get<std::string>());
    if (resolved.at("units").is_null()) return;
    units_ = resolved.at("units").get<std::vector<std::int64_t>>();
    if (units_->empty()) throw Error({"units", "units", "at least one, or null for all", "none"});
    if (std::set<std::int64_t>(units_->begin(), units_->end()).size() != units_->size()) {
      throw Error(
          {"units", "units", "each unit once", fmt::format("{}", fmt::join(*units_, ", "))});
    }
  }

  /// What follows patches rows begin … end − 1.
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
    at::Tensor rows = donor_.values.slice(0, begin_, end_).to(value.device(), value.scalar_type());
    if (units_) rows = with_units(value, rows);
    // In the memory order of the value: with another one, kernels would round otherwise.
    return at::empty_like(value).copy_(rows);
  }

  bool converts() const { return converts_; }
  std::string units_text() const {
    return units_ ? fmt::format("units {}", fmt::join(*units_, ", ")) : "all units";
  }

 private:
  std::string where() const { return "tap '" + tap_ + "'"; }

  void require_fit(const at::Tensor& value) {
    if (value.dim() == 0 || value.size(0) != end_ - begin_) {
      throw Error({"the tap cannot be patched", where(),
                   fmt::format("one row for each of {} samples", end_ - begin_),
                   shape_text(value)});
    }
    if (value.sizes().slice(1) != donor_.values.sizes().slice(1)) {
      throw Error({"the capture does not fit the tap", where(),
                   fmt::format("samples of shape [{}]", fmt::join(value.sizes().slice(1), ", ")),
                   fmt::format("[{}] in '{}'", fmt::join(donor_.values.sizes().slice(1), ", "),
                               donor_.tensor)});
    }
    const auto single_or_double = [](at::ScalarType type) {
      return type == at::kFloat || type == at::kDouble;
    };
    converts_ = value.scalar_type() != donor_.values.scalar_type();
    if (converts_ &&
        !(single_or_double(value.scalar_type()) && single_or_double(donor_.values.scalar_type()))) {
      throw Error({"the capture does not fit the tap", where(), dtype_name(value.scalar_type()),
                   dtype_name(donor_.values.scalar_type()) + " in '" + donor_.tensor + "'"});
    }
  }

  at::Tensor with_units(const at::Tensor& value, const at::Tensor& rows) const {
    const Axis axis = axis_.value_or(default_axis(value, point_));
    const std::int64_t size = axis_size(value, axis);
    for (const std::int64_t unit : *units_) {
      if (unit >= size) {
        throw Error({"no such unit", where(),
                     fmt::format("0 to {} along the axis '{}'", size - 1, axis_name(axis)),
                     std::to_string(unit)});
      }
    }
    const at::Tensor index = at::tensor(*units_).to(value.device());
    const at::Tensor patched = to_rows(value, axis).clone();
    patched.index_copy_(1, index, to_rows(rows, axis).index_select(1, index));
    return from_rows(patched, value, axis);
  }

  std::string tap_;
  TapPoint point_;
  const Donor& donor_;
  std::optional<Axis> axis_{};
  std::optional<std::vector<std::int64_t>> units_{};
  std::int64_t begin_ = 0;
  std::int64_t end_ = 0;
  int fired_ = 0;
  bool converts_ = false;
};

std::string labelled(const char* what, const Score& score) {
  return fmt::format("  {:<12}{}", what, score_line(score));
}

std::string single_tap(const json& resolved, const Model& model) {
  const std::vector<std::string> taps = step_taps(resolved, model);
  if (taps.size() != 1) throw Error({"a patch is of one tap", "tap", "a name", quoted_list(taps)});
  return taps.front();
}

StepResult run_patch(const json& resolved, const Workspace& workspace, Progress& progress) {
  const std::string tap = single_tap(resolved, workspace.model);
  const json& tensor = resolved.at("tensor");
  const Donor donor =
      read_donor(resolved.at("capture"),
                 tensor.is_null() ? std::nullopt : std::optional(tensor.get<std::string>()), tap,
                 workspace.paths);
  const std::string split = resolved.at("data");
  const Source& source = workspace.source(split);
  if (!source.data->has_labels())
    throw Error({"cannot evaluate", "/data", "a source with labels", "one without"});
  const std::int64_t count = donor.values.size(0);
  if (count > source.data->size()) {
    throw Error({"the capture has more rows than the data has samples", "'" + donor.tensor + "'",
                 fmt::format("at most {} ({})", source.data->size(), split),
                 std::to_string(count)});
  }

  const TappedModel tapped = tap_model(workspace.model, {tap});
  Patch patch(tapped.point(tap), donor, resolved);
  const at::NoGradGuard no_grad;
  Score before;
  Score after;
  Score as_donor;
  std::int64_t agreeing = 0;
  bool classes = true;  // the outputs are of classes
  std::vector<at::Tensor> logits_before;
  std::vector<at::Tensor> logits_after;
  progress.begin("patch", count);
  workspace.model.restart();
  for (std::int64_t begin = 0; begin < count; begin += source.batch_size) {
    check_interrupt();
    const std::int64_t end = std::min(count, begin + source.batch_size);
    Batch batch = source.data->slice(begin, end);
    for (at::Tensor& input : batch.inputs) input = input.to(workspace.model.device());
    const Snapshot before_batch(workspace.model);
    const at::Tensor untouched = tapped.forward(batch.inputs);
    const Snapshot after_batch(workspace.model);
    before_batch.restore();
    patch.expect(begin, end);
    const Watch watch = tapped.replace(tap, std::ref(patch));
    const at::Tensor patched = tapped.forward(batch.inputs);
    after_batch.restore();  // what is carried on is the untouched model's
    before.add(untouched, batch.labels);
    after.add(patched, batch.labels);
    if (donor.labels.defined()) as_donor.add(patched, donor.labels.slice(0, begin, end));
    classes = classes && !batch.labels.is_floating_point();
    if (classes) {
      const at::Tensor said = at::argmax(class_logits(untouched), 1);
      agreeing += said.eq(at::argmax(class_logits(patched), 1)).sum().item<std::int64_t>();
    }
    logits_before.push_back(untouched.to(at::kCPU).clone());
    logits_after.push_back(patched.to(at::kCPU).clone());
    progress.advance(end - begin);
  }
  progress.end();

  const double agreement = static_cast<double>(agreeing) / static_cast<double>(count);
  StepResult result;
  result.inputs.push_back(donor.file);
  result.tensors["before.logits"] = at::cat(logits_before);
  result.tensors["after.logits"] = at::cat(logits_after);
  result.json = {{"data", split},
                 {"tap", tap},
                 {"tensor", donor.tensor},
                 {"count", count},
                 {"before", score_json(before)},
                 {"after", score_json(after)},
                 {"agreement", classes ? json(agreement) : json()},
                 {"warnings", json::array()}};
  result.lines.push_back(fmt::format("{} of {} {} samples replaced ({}) by '{}' of {}", tap, count,
                                     split, patch.units_text(), donor.tensor, donor.file.given));
  result.lines.push_back(labelled("before", before));
  result.lines.push_back(labelled("after", after));
  if (classes) {
    result.lines.push_back(fmt::format("  {:<12}{:.2f} % of the predicted classes stay ({})",
                                       "agreement", 100 * agreement, agreeing));
  }
  if (donor.labels.defined()) {
    result.json["donor"] = score_json(as_donor);
    result.lines.push_back(labelled("donor", as_donor) +
                           ": the outputs after, by the capture's labels");
  }
  if (patch.converts()) {
    const std::string warning = "the capture is " + dtype_name(donor.values.scalar_type()) +
                                ", converted to the tap's dtype";
    result.json["warnings"].push_back(warning);
    result.lines.push_back(fmt::format("  {:<12}{}", "warning", warning));
  }
  return result;
}

Field unit_axis_field() {
  Field field = axis_field();
  field.doc =
      "where the units lie: features (last dimension), channels (dimension 1) or neurons (all but "
      "the batch); null: features up to 3 dimensions, channels from 4 on";
  return field;
}

}  // namespace

const StepKind& step_kind_patch() {
  static const StepKind kind{
      .info = {.name = "patch",
               .summary = "Activation patching: replaces the values of a tap by those that another "
                          "run captured, and compares the outputs",
               .formula = "f(x | h_tap(x_i) := c_i) for the rows c_i of the capture, i = 1 ... n",
               .source = "Vig et al., Investigating Gender Bias in Language Models Using Causal "
                         "Mediation Analysis, NeurIPS 2020; Meng et al., Locating and Editing "
                         "Factual Associations in GPT, NeurIPS 2022, section 2.1",
               .fields = {{.name = "tap", .type = FieldType::string, .doc = "the tap point"},
                          {.name = "capture",
                           .type = FieldType::path,
                           .doc = "a result folder with a capture step, or a safetensors file"},
                          {.name = "tensor",
                           .type = FieldType::string,
                           .doc = "the tensor of the values; null: the only one named "
                                  "steps.i.TAP.values (or TAP.values)",
                           .fallback = nullptr},
                          {.name = "units",
                           .type = FieldType::integers,
                           .doc = "patch these units along the axis only, counted from 0; null: "
                                  "all",
                           .fallback = nullptr,
                           .minimum = 0},
                          unit_axis_field(),
                          data_field("test")}},
      .run = run_patch};
  return kind;
}

}  // namespace descramble
