#include "descramble/analysis/check_samples.h"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include "descramble/analysis/certificate.h"
#include "descramble/analysis/loss.h"
#include "descramble/core/error.h"
#include "descramble/taps/tapped_model.h"
#include "jacobian/sample_check.h"

namespace descramble {

namespace {

/// n of N, evenly spread.
std::vector<std::int64_t> evenly_spread(std::int64_t count, std::int64_t size) {
  std::vector<std::int64_t> indices;
  for (std::int64_t i = 0; i < count; ++i) indices.push_back(i * size / count);
  return indices;
}

std::vector<at::Tensor> inputs_of(const Source& source, const std::vector<std::int64_t>& indices,
                                  at::Device device) {
  std::vector<at::Tensor> inputs = source.data->gather(indices).inputs;
  for (at::Tensor& input : inputs) input = input.to(device);
  return inputs;
}

std::vector<at::Tensor> rows_of(const std::vector<at::Tensor>& inputs, std::int64_t begin,
                                std::int64_t end) {
  std::vector<at::Tensor> result;
  for (const at::Tensor& input : inputs) result.push_back(input.slice(0, begin, end));
  return result;
}

bool takes(const Model& model, const std::vector<at::Tensor>& inputs) {
  try {
    model.forward(inputs);
    return true;
  } catch (const Error&) {
    return false;
  }
}

bool has_rows(const at::Tensor& value, std::int64_t rows) {
  return value.defined() && value.dim() > 0 && value.size(0) == rows;
}

/// The largest difference of the first `count` rows of two values, relative to the largest entry.
double apart(const at::Tensor& one, const at::Tensor& other, std::int64_t count) {
  if (!one.is_floating_point() || one.sizes().slice(1) != other.sizes().slice(1)) return 0;
  return relative_difference(other.slice(0, 0, count), one.slice(0, 0, count));
}

/// The first row of each tap's value in one pass; undefined where the tap has none.
std::vector<at::Tensor> first_rows(const TappedModel& tapped,
                                   const std::vector<at::Tensor>& inputs) {
  const std::int64_t batch = inputs.at(0).size(0);
  std::vector<at::Tensor> rows(tapped.points().size());
  std::vector<Watch> watches;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const TapPoint& point = tapped.points()[i];
    if (point.in_control_flow) continue;
    watches.push_back(tapped.observe(point.name, [&rows, i, batch](const at::Tensor& value) {
      if (!rows[i].defined() && has_rows(value, batch)) rows[i] = value.slice(0, 0, 1).clone();
    }));
  }
  tapped.forward(inputs);
  return rows;
}

/// Finds the first tap at which two passes have different values for the first sample.
void find_mixing(CheckSamples& check, const Model& model, const std::vector<at::Tensor>& one,
                 const std::vector<at::Tensor>& other, double difference) {
  check.mixed_at = "output";
  check.mixed_by = difference;
  const TappedModel tapped = tap_model(model);
  const std::vector<at::Tensor> before = first_rows(tapped, one);
  const std::vector<at::Tensor> after = first_rows(tapped, other);
  for (std::size_t i = 0; i < before.size(); ++i) {
    if (!before[i].defined() || !after[i].defined()) continue;
    const double here = apart(before[i], after[i], 1);
    if (here <= allowed_by_rounding(before[i], model)) continue;
    check.mixed_at = tapped.points()[i].name;
    check.mixed_by = here;
    break;
  }
}

/// Runs the same samples among others, and fewer of them together.
void probe_mixing(CheckSamples& check, const Model& model, const Source& source) {
  const std::int64_t batch = std::min<std::int64_t>(check.batch_size, check.inputs.at(0).size(0));
  if (batch < 2) return;
  const std::int64_t kept = (batch + 1) / 2;
  const std::vector<at::Tensor> first = rows_of(check.inputs, 0, batch);
  const at::Tensor plain = check.output;
  const auto compare = [&](const std::vector<at::Tensor>& inputs, std::int64_t rows) {
    const at::Tensor output = model.forward(inputs);
    if (!has_rows(output, rows) || !has_rows(plain, check.inputs.at(0).size(0))) return false;
    const double difference = apart(plain, output, std::min(kept, rows));
    if (difference <= allowed_by_rounding(plain, model)) return false;
    find_mixing(check, model, first, inputs, difference);
    return true;
  };
  // The other samples of the batch: samples between the check samples, or the first one again.
  std::vector<std::int64_t> indices(check.indices.begin(), check.indices.begin() + batch);
  const std::int64_t size = source.data->size();
  for (std::int64_t i = kept; i < batch; ++i) {
    auto& index = indices[static_cast<std::size_t>(i)];
    index = index + 1 < size ? index + 1 : 0;
  }
  if (compare(inputs_of(source, indices, model.device()), batch)) return;
  if (check.only_batch) return;
  for (const std::int64_t fewer : {kept, std::int64_t{1}}) {
    try {
      if (compare(rows_of(first, 0, fewer), fewer)) return;
    } catch (const Error&) {
      // The model takes no other size, so there are no batches of another size.
    }
  }
}

/// Whether the output of a classifier is one number per sample and all could be probabilities.
bool reads_probabilities(const at::Tensor& output, const Source& source) {
  if (!source.data->has_labels() || !has_one_number_each(output)) return false;
  if (source.data->slice(0, 1).labels.is_floating_point()) return false;
  const at::Tensor numbers = output.to(at::kDouble);
  return numbers.min().item<double>() >= 0 && numbers.max().item<double>() <= 1;
}

}  // namespace

at::Tensor run_in_batches(const std::vector<at::Tensor>& inputs, std::int64_t batch_size,
                          const Forward& forward) {
  std::vector<at::Tensor> outputs;
  const std::int64_t size = inputs.at(0).size(0);
  for (std::int64_t begin = 0; begin < size; begin += batch_size) {
    const at::Tensor output = forward(rows_of(inputs, begin, std::min(size, begin + batch_size)));
    if (output.layout() != c10::kStrided) {
      throw Error({"the model's output cannot be judged", "output", "a dense tensor",
                   "a sparse one, " + shape_text(output)});
    }
    outputs.push_back(output.dim() == 0 ? output.reshape({1}) : output);
  }
  if (outputs.size() == 1) return outputs[0];
  for (const at::Tensor& output : outputs) {
    if (output.dim() == outputs[0].dim() && output.sizes().slice(1) == outputs[0].sizes().slice(1))
      continue;
    throw Error({"the output's shape changes from batch to batch", "output", shape_text(outputs[0]),
                 shape_text(output)});
  }
  return at::cat(outputs);
}

std::vector<at::Tensor> CheckSamples::first_batch() const {
  return rows_of(inputs, 0, std::min(batch_size, inputs.at(0).size(0)));
}

double CheckSamples::difference(const Forward& forward) const {
  const at::NoGradGuard no_grad;
  return relative_difference(run_in_batches(inputs, batch_size, forward), output);
}

CheckSamples open_check_samples(const Model& model, const Source& source) {
  const at::NoGradGuard no_grad;
  const std::int64_t size = source.data->size();
  CheckSamples check;
  const Forward forward = [&model](const std::vector<at::Tensor>& inputs) {
    return model.forward(inputs);
  };
  const auto take = [&](std::int64_t batch) {
    check.batch_size = batch;
    check.indices =
        evenly_spread(batch < 8 ? std::min(size / batch, 8 / batch) * batch : batch, size);
    check.inputs = inputs_of(source, check.indices, model.device());
    check.output = run_in_batches(check.inputs, batch, forward);
  };
  const std::int64_t usual = std::min({std::int64_t{8}, size, source.batch_size});
  try {
    take(usual);
  } catch (const Error&) {
    if (source.batch_size <= usual || source.batch_size > size) throw;
    take(source.batch_size);
    if (takes(model, rows_of(check.inputs, 0, usual))) throw;
    check.only_batch = true;
  }
  const std::int64_t rest = size % source.batch_size;
  if (!check.only_batch && rest > 0 && check.batch_size == source.batch_size) {
    check.only_batch = !takes(model, rows_of(check.inputs, 0, rest));
  }
  if (check.output.is_complex() || check.output.numel() == 0) {
    throw Error({"the model's output cannot be judged", model.name(),
                 "a dense tensor of real numbers for each sample", shape_text(check.output)});
  }
  if (!check.output.isfinite().all().item<bool>()) {
    throw Error({"the model's output is not finite", model.name(),
                 "finite logits for samples of the data", "NaN or infinity"});
  }
  check.rerun = check.difference(forward);
  if (check.rerun <= allowed_by_rounding(check.output, model)) probe_mixing(check, model, source);
  if (reads_probabilities(check.output, source)) {
    check.warnings.push_back(
        "the model's one number a sample lies between 0 and 1, as a probability does, and is read "
        "as a logit: class 1 is what lies above 0");
  }
  if (model.moved_devices() > 0) {
    check.warnings.push_back(
        fmt::format("the model's code names other devices ({} times): they are {} here and in "
                    "exported models",
                    model.moved_devices(), model.device().str()));
  }
  if (check.only_batch && rest > 0) {
    check.warnings.push_back(
        fmt::format("the model takes batches of {} and no others: the last {} of {} samples are "
                    "left out",
                    source.batch_size, rest, size));
  }
  if (check.rerun > allowed_by_rounding(check.output, model)) {
    check.warnings.push_back(fmt::format(
        "the model draws random numbers: two runs on the same samples differ by {:.1e} of the "
        "largest output",
        check.rerun));
  }
  if (!check.mixed_at.empty()) {
    check.warnings.push_back(fmt::format(
        "a sample's values depend on the others of its batch, from tap '{}' on (by {:.1e} of the "
        "largest): every figure depends on batch_size and on the order of the samples",
        check.mixed_at, check.mixed_by));
  }
  return check;
}

void require_repeatable(const CheckSamples& check, const Model& model) {
  if (check.rerun <= allowed_by_rounding(check.output, model)) return;
  throw Error({"the model draws random numbers, so that no certificate can be given", model.name(),
               "the same output for the same samples",
               fmt::format("two plain runs that differ by {:.1e} of the largest", check.rerun)});
}

}  // namespace descramble
