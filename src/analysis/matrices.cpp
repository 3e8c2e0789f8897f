#include "descramble/analysis/matrices.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linalg_eigh.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include "analysis/layer_data.h"
#include "descramble/analysis/measure_jacobian.h"
#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"
#include "descramble/core/random.h"
#include "descramble/data/batches.h"
#include "descramble/data/tensor_set.h"
#include "descramble/stats/moments.h"
#include "descramble/taps/tapped_model.h"

namespace descramble {

namespace {

void require_side(const at::Tensor& rotation, std::int64_t size, const std::string& layer,
                  const char* side) {
  if (!rotation.defined() || rotation.size(0) == size) return;
  throw Error({"the rotation does not fit the weight", "layer '" + layer + "', " + side,
               fmt::format("{0} x {0}", size), fmt::format("{0} x {0}", rotation.size(0))});
}

AxisScale scale_if_fits(AxisScale scale, std::int64_t size, bool applies) {
  return applies && static_cast<std::int64_t>(scale.values.size()) == size ? std::move(scale)
                                                                           : AxisScale{};
}

/// Rows for the quantities that a rotation mixes: a channel's positions, and a feature's, stand in
/// one row one after the other. `jacobian`: [numbers of the value, numbers of the input].
at::Tensor by_quantity(const at::Tensor& jacobian, const std::vector<std::int64_t>& shape) {
  if (shape.size() < 2) return jacobian;
  if (shape.size() > 2) return jacobian.reshape({shape.front(), -1});  // channels first
  return jacobian.reshape({shape[0], shape[1], -1}).transpose(0, 1).reshape({shape[1], -1});
}

/// Names of the layers with a weight, in the order of the parameters.
std::vector<std::string> weighted_layers(const Model& model) {
  constexpr std::string_view ending = ".weight";
  std::vector<std::string> layers;
  for (const auto& [name, parameter] : model.parameters()) {
    if (name.ends_with(ending) && parameter.dim() >= 2)
      layers.push_back(name.substr(0, name.size() - ending.size()));
  }
  return layers;
}

}  // namespace

MatrixView weight_view(const Subject& subject, const std::string& layer, const at::Tensor& left,
                       const at::Tensor& right) {
  if (layer.ends_with(".input")) {
    throw Error({"no layer of that name", "layer", "a layer, without '.input'", "'" + layer + "'"});
  }
  MatrixView view;
  view.values = layer_weight(subject.model, layer);
  require_side(left, view.values.size(0), layer, "output");
  require_side(right, view.values.size(1), layer, "input");
  view.title = "W of " + layer;
  if (left.defined()) {
    view.values = left.to(at::kDouble).matmul(view.values);
    view.title = "P " + view.title;
  }
  if (right.defined()) {
    view.values = view.values.matmul(right.to(at::kDouble).t());
    view.title += ", P' on its input";
  }
  const std::vector<std::string> layers = weighted_layers(subject.model);
  const bool first = !layers.empty() && layers.front() == layer;
  const bool last = !layers.empty() && layers.back() == layer;
  view.columns = scale_if_fits(subject.train.data->input_scale(), view.values.size(1),
                               first && !right.defined());
  view.rows = scale_if_fits(subject.train.data->label_scale(), view.values.size(0),
                            last && !left.defined());
  return view;
}

InputMeans mean_inputs(const Subject& subject, Split data, Progress& progress) {
  const Source& source = subject.source(data);
  std::vector<at::Tensor> sums;
  at::Tensor squares;
  progress.begin("mean input", source.data->size());
  for_each_batch(source, subject.model.device(), [&](const Batch& batch, std::int64_t) {
    for (std::size_t i = 0; i < batch.inputs.size(); ++i) {
      if (!batch.inputs[i].is_floating_point()) {
        throw Error({"no mean of the inputs", input_names(source).at(i), "floating-point numbers",
                     "integers"});
      }
      const at::Tensor wide = batch.inputs[i].to(at::kDouble);
      const at::Tensor sum = wide.sum(0, true);
      if (sums.size() <= i) sums.push_back(at::zeros_like(sum));
      sums[i] += sum;
      if (i > 0) continue;
      const at::Tensor square = wide.pow(2).sum(0, true);
      squares = squares.defined() ? squares + square : square;
    }
    progress.advance(batch.inputs.at(0).size(0));
  });
  progress.end();
  const auto count = static_cast<double>(source.data->size());
  InputMeans result;
  for (const at::Tensor& sum : sums)
    result.means.push_back((sum / count).to(subject.model.dtype()).to(at::kCPU));
  const at::Tensor variance = squares / count - (sums.front() / count).pow(2);
  result.spread = std::sqrt(std::max(0.0, variance.mean().item<double>()));
  return result;
}

MatrixView jacobian_at_mean(const Subject& subject, const std::string& from, const std::string& to,
                            Split data, const InputMeans& means, Progress& progress) {
  const Source& source = subject.source(data);
  Subject at_mean = subject;
  at_mean.train = tensor_set(means.means, {}, 1, input_names(source));
  at_mean.test = at_mean.train;
  at_mean.separate_test = false;
  const MeasuredJacobian measured = measure_jacobian(
      at_mean, {.from = from, .to = to, .samples = 1, .axis = Axis::neurons}, progress);
  MatrixView view;
  view.title = fmt::format("Jacobian at the mean, {} to {}", from, to);
  view.values = by_quantity(measured.mean, measured.to.shape);
  view.columns = scale_if_fits(source.data->input_scale(), view.values.size(1), from == "input");
  view.rows = scale_if_fits(source.data->label_scale(), view.values.size(0), to == "output");
  return view;
}

MatrixView noise_jacobian_at_mean(const Subject& subject, const std::string& to, Split data,
                                  const InputMeans& means, const NoiseOptions& options,
                                  Progress& progress) {
  if (!(means.spread > 0)) {
    throw Error({"no spread of the inputs", input_names(subject.source(data)).front(),
                 "samples that differ from each other", "all alike"});
  }
  const double size = options.size * means.spread;
  const at::NoGradGuard no_grad;
  const TappedModel tapped = tap_model(subject.check_model(), {to});
  const at::Device device = subject.model.device();
  std::vector<at::Tensor> inputs;
  for (const at::Tensor& mean : means.means) inputs.push_back(mean.to(device));
  const at::Tensor base = tapped.forward_until(to, inputs);
  const Axis axis = default_axis(base, tapped.point(to));
  const at::Tensor middle = inputs.front();
  RandomStream random = random_stream(subject.seed, "noise at mean");
  Moments moments;
  progress.begin("noise at the mean", options.samples);
  // One direction at a time: other inputs stay at their means, and every model takes one sample.
  for (std::int64_t i = 0; i < options.samples; ++i) {
    check_interrupt();
    const at::Tensor noise = random.normal_tensor(middle.sizes()).to(middle.dtype()).to(device);
    inputs.front() = middle + size * noise;
    const at::Tensor moved = (tapped.forward_until(to, inputs) - base).to(at::kCPU, at::kDouble);
    moments.add(to_rows(moved / size, axis));
    progress.advance();
  }
  progress.end();
  const auto [values, vectors] = at::linalg_eigh(moments.second_moment());
  MatrixView view;
  view.title = "Jacobian at the mean, input to " + to + ", by noise";
  view.values = (vectors * values.clamp_min(0).sqrt()).flip(1).contiguous();
  return view;
}

namespace {

/// "layers.0." of "layers.0.weight".
std::string owner_of(const std::string& parameter) {
  return parameter.substr(0, parameter.rfind('.') + 1);
}

std::string last_name(const std::string& parameter) {
  return parameter.substr(parameter.rfind('.') + 1);
}

double bound_of(const at::Tensor& weight) {
  return 1 / std::sqrt(static_cast<double>(weight.numel()) / static_cast<double>(weight.size(0)));
}

void reset_buffers(const Model& model) {
  for (const auto& [name, buffer] : model.buffers()) {
    if (last_name(name) == "running_mean") at::Tensor(buffer).zero_();
    if (last_name(name) == "running_var") at::Tensor(buffer).fill_(1);
  }
}

}  // namespace

UntrainedTwin untrained_twin(const Subject& subject, std::uint64_t seed) {
  UntrainedTwin twin{subject};
  Model copy = subject.model.to_dtype(subject.model.dtype());
  const at::NoGradGuard no_grad;
  std::map<std::string, double> bounds;
  for (const auto& [name, parameter] : copy.parameters()) {
    if (parameter.dim() >= 2 && parameter.is_floating_point())
      bounds.emplace(owner_of(name), bound_of(parameter));
  }
  if (bounds.empty()) {
    throw Error({"no untrained control of this model", subject.model.name(),
                 "parameters that can be reset", "none: a frozen model holds them as constants"});
  }
  for (const auto& [name, parameter] : copy.parameters()) {
    const std::string own = last_name(name);
    const auto layer = bounds.find(owner_of(name));
    RandomStream random = random_stream(seed, "untrained/" + name);
    const auto uniform = [&](double bound) {
      at::Tensor(parameter).copy_(random.uniform_tensor(parameter.sizes(), -bound, bound));
    };
    if (parameter.dim() >= 2 && parameter.is_floating_point()) {
      uniform(bound_of(parameter));
    } else if (own.find("bias") != std::string::npos) {
      uniform(layer == bounds.end() ? 0 : layer->second);
    } else if (own == "weight" && layer == bounds.end()) {
      at::Tensor(parameter).fill_(1);
    } else {
      twin.kept.push_back(name);
    }
  }
  reset_buffers(copy);
  // A snapshot of the new weights: a policy that resets the state would bring the old ones back.
  twin.subject.model = copy.to_dtype(subject.model.dtype());
  return twin;
}

}  // namespace descramble
