#include "experiment/layer_data.h"

#include <set>

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "descramble/taps/tapped_model.h"

namespace descramble {

using nlohmann::json;

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

namespace {

std::optional<Axis> chosen_axis(const json& axis) {
  if (axis.is_null()) return std::nullopt;
  return parse_axis(axis.get<std::string>());
}

void describe(TapMoments& tap, const TapValues& values) {
  tap.tap = values.tap();
  tap.axis = values.axis();
  tap.shape = values.shape();
  tap.dtype = values.dtype();
}

Layer with_values(const Workspace& workspace, const Source& source, const std::string& tap,
                  const json& resolved, std::int64_t memory_mb, Progress& progress) {
  progress.begin("values of " + tap, source.data->size());
  const TappedModel tapped = tap_model(workspace.model, {tap});
  Layer layer;
  layer.data.values = TapValues::of(tapped, tap, source,
                                    {.axis = chosen_axis(resolved.at("axis")),
                                     .memory_mb = memory_mb,
                                     .rows = row_selection(resolved, workspace)});
  describe(layer.tap, *layer.data.values);
  require_memory(layer.data.values->dimension(), workspace.memory_mb, tap, layer.tap.axis);
  layer.data.values->for_each([&](const TapValues::Part& part) {
    layer.tap.moments.add(part.rows);
    progress.advance(part.samples);
  });
  progress.end();
  return layer;
}

Layer with_weight(const Workspace& workspace, const std::string& tap, const json& axis) {
  Layer layer;
  layer.data.weight = layer_weight(workspace.model, tap);
  const at::NoGradGuard no_grad;
  const TappedModel tapped = tap_model(workspace.check_model(), {tap});
  const at::Tensor value = tapped.forward_until(tap, workspace.check.first_batch());
  const TapValues seen(tap, value,
                       chosen_axis(axis).value_or(default_axis(value, tapped.point(tap))));
  describe(layer.tap, seen);
  require_memory(seen.dimension(), workspace.memory_mb, tap, layer.tap.axis);
  if (layer.data.weight.size(0) != seen.dimension()) {
    throw Error({"the weight does not make what the axis holds", "tap '" + tap + "'",
                 fmt::format("d = {} ({})", seen.dimension(), axis_name(layer.tap.axis)),
                 fmt::format("a weight with {} rows", layer.data.weight.size(0))});
  }
  return layer;
}

}  // namespace

std::vector<Layer> gather_layers(const Workspace& workspace, const Source& source,
                                 const std::vector<std::string>& taps, const json& resolved,
                                 Progress& progress) {
  std::vector<Layer> layers;
  const json& objective = resolved.at("objective");
  const json& axis = resolved.at("axis");
  switch (objective_needs(objective)) {
    case LayerNeeds::moments:
      for (TapMoments& tap : measure_taps(workspace, source, taps, axis,
                                          {row_selection(resolved, workspace)}, progress))
        layers.push_back({std::move(tap), {}});
      break;
    case LayerNeeds::values: {
      // All taps of both sources are at hand together and share the ceiling.
      const auto shares =
          static_cast<std::int64_t>(taps.size()) * (workspace.separate_test ? 2 : 1);
      for (const std::string& tap : taps) {
        layers.push_back(
            with_values(workspace, source, tap, resolved, workspace.memory_mb / shares, progress));
      }
      break;
    }
    case LayerNeeds::jacobians:
      throw Error({"an objective over a chain of taps has no single layer", "/objective",
                   "a step 'descramble', whose objective names its taps", "another step"});
    case LayerNeeds::weight:
      if (!resolved.at("rows").is_null()) {
        throw Error({"the objective looks at no rows", "rows", "null: it needs the weight alone",
                     resolved.at("rows").dump()});
      }
      for (const std::string& tap : taps) layers.push_back(with_weight(workspace, tap, axis));
      break;
  }
  for (Layer& layer : layers) {
    layer.data.tap = layer.tap.tap;
    layer.data.moments = layer.tap.moments;
  }
  return layers;
}

}  // namespace descramble
