#include "analysis/layer_data.h"

#include <set>

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/taps/tapped_model.h"

namespace descramble {

at::Tensor layer_weight(const Model& model, const std::string& tap) {
  constexpr std::string_view ending = ".input";
  const bool input_side = tap.ends_with(ending);
  const std::string layer = input_side ? tap.substr(0, tap.size() - ending.size()) : tap;
  // Other layers keep their weights in another order (transposed convolutions), or have no product.
  const std::set<std::string> types{"Linear", "Conv1d", "Conv2d", "Conv3d"};
  std::string type = "no layer";
  for (const TapPoint& point : list_taps(model)) {
    if (point.name == layer && point.kind == "module") type = point.type;
  }
  for (const auto& [name, parameter] : model.parameters()) {
    if (name != layer + ".weight" || parameter.dim() < 2 || !types.contains(type)) continue;
    const at::Tensor weight = parameter.detach().to(at::kCPU, at::kDouble);
    return (input_side ? weight.transpose(0, 1) : weight).flatten(1).contiguous();
  }
  throw Error({"the tap has no weight", "tap '" + tap + "'",
               "a linear or convolution layer by name, or NAME.input",
               fmt::format("'{}' ({})", layer, type)});
}

at::Tensor layer_bias(const Model& model, const std::string& tap) {
  for (const auto& [name, parameter] : model.parameters()) {
    if (name == tap + ".bias") return parameter.detach().to(at::kCPU, at::kDouble);
  }
  return {};
}

namespace {

void require_rows(const at::Tensor& weight, const TapSpace& space) {
  if (weight.size(0) == space.dimension) return;
  throw Error({"the weight does not make what the axis holds", "tap '" + space.name + "'",
               fmt::format("d = {} ({})", space.dimension, axis_name(space.axis)),
               fmt::format("a weight with {} rows", weight.size(0))});
}

Layer with_values(const Subject& subject, const Source& source, const std::string& tap,
                  const LayerView& view, std::int64_t memory_mb, Progress& progress) {
  progress.begin("values of " + tap, source.data->size());
  const TappedModel tapped = tap_model(subject.model, {tap});
  Layer layer;
  layer.data.values = TapValues::of(tapped, tap, source,
                                    {.axis = view.axis, .memory_mb = memory_mb, .rows = view.rows});
  layer.tap.space = layer.data.values->space();
  require_memory(layer.tap.space.dimension, subject.memory_mb, tap, layer.tap.space.axis);
  layer.data.values->for_each([&](const TapValues::Part& part) {
    layer.tap.moments.add(part.rows);
    progress.advance(part.samples);
  });
  progress.end();
  return layer;
}

Layer with_weight(const Subject& subject, const std::string& tap, std::optional<Axis> axis) {
  Layer layer;
  layer.data.weight = layer_weight(subject.model, tap);
  const at::NoGradGuard no_grad;
  const TappedModel tapped = tap_model(subject.check_model(), {tap});
  const at::Tensor value = tapped.forward_until(tap, subject.check.first_batch());
  const Axis chosen = axis.value_or(default_axis(value, tapped.point(tap)));
  layer.tap.space = TapValues(tap, value, chosen).space();
  const TapSpace& space = layer.tap.space;
  require_memory(space.dimension, subject.memory_mb, tap, space.axis);
  require_rows(layer.data.weight, space);
  return layer;
}

std::vector<Layer> gathered(const Subject& subject, const Source& source,
                            const std::vector<std::string>& taps, const LayerView& view,
                            Progress& progress) {
  std::vector<Layer> layers;
  switch (view.needs) {
    case LayerNeeds::moments:
    case LayerNeeds::moments_and_weight:
      for (TapMoments& tap :
           measure_taps(subject, source, taps, view.axis, {.selection = view.rows}, progress))
        layers.push_back({std::move(tap), {}});
      for (Layer& layer : layers) {
        if (view.needs == LayerNeeds::moments) continue;
        layer.data.weight = layer_weight(subject.model, layer.tap.space.name);
        layer.data.bias = layer_bias(subject.model, layer.tap.space.name);
        require_rows(layer.data.weight, layer.tap.space);
      }
      break;
    case LayerNeeds::values: {
      // The values of all taps of both sources are in memory together and share the ceiling.
      const auto shares = static_cast<std::int64_t>(taps.size()) * (subject.separate_test ? 2 : 1);
      for (const std::string& tap : taps) {
        layers.push_back(
            with_values(subject, source, tap, view, subject.memory_mb / shares, progress));
      }
      break;
    }
    case LayerNeeds::jacobians:
      throw Error({"an objective over a chain of taps has no single layer", "/objective",
                   "a step 'descramble', whose objective names its taps", "another step"});
    case LayerNeeds::weight:
      for (const std::string& tap : taps) layers.push_back(with_weight(subject, tap, view.axis));
      break;
  }
  return layers;
}

std::string rows_text(const RowSelection& rows) {
  return fmt::format("{{\"mask\":{},\"skip\":{}}}",
                     rows.mask_name.empty() ? "null" : "\"" + rows.mask_name + "\"", rows.skip);
}

}  // namespace

std::vector<Layer> gather_layers(const Subject& subject, const Source& source,
                                 const std::vector<std::string>& taps, const LayerView& given,
                                 Progress& progress) {
  LayerView view = given;
  view.rows = found_rows(given.rows, subject);
  if (view.needs == LayerNeeds::weight && !view.rows.all()) {
    throw Error({"the objective looks at no rows", "rows", "null: it needs the weight alone",
                 rows_text(view.rows)});
  }
  std::vector<Layer> layers = gathered(subject, source, taps, view, progress);
  for (Layer& layer : layers) {
    layer.data.tap = layer.tap.space.name;
    layer.data.moments = layer.tap.moments;
  }
  return layers;
}

}  // namespace descramble
