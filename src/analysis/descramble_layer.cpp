#include "descramble/analysis/descramble_layer.h"

#include <utility>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/eye.h>

#include "analysis/layer_data.h"
#include "analysis/solve.h"
#include "descramble/core/interrupt.h"

namespace descramble {

namespace {

LayerDescrambling descramble_one(const Subject& subject, const LayerOptions& options,
                                 const Layer& layer, const Layer* held_out, Progress& progress) {
  const std::string& name = layer.tap.space.name;
  const std::unique_ptr<Objective> objective = options.objective.make(layer.data);
  LayerDescrambling result;
  result.solution = solve(*objective, options.solver, name, subject.seed, progress);
  check_interrupt();  // an interrupted search is not a result
  const at::Tensor& point = result.solution.point;
  const at::Tensor identity = at::eye(objective->dimension(), at::kDouble);
  result.rotated = {layer.tap.space, RotationPair(point)};
  result.moments = layer.tap.moments;
  result.maximised = objective->traits().is_maximised;
  const double sign = result.maximised ? -1 : 1;
  const auto in_sense = [sign](const std::optional<double>& value) {
    return value ? std::optional(sign * *value + 0.0) : std::nullopt;  // no negative zero
  };
  result.value = {*in_sense(objective->value(identity)), *in_sense(result.solution.value)};
  result.optimum = in_sense(objective->optimum());
  if (!result.optimum) result.bound = in_sense(objective->lower_bound(point));
  if (held_out != nullptr) {
    const std::unique_ptr<Objective> other = options.objective.make(held_out->data);
    result.held_out = BeforeAfter{sign * other->value(identity), sign * other->value(point)};
  }
  result.certificate = certify(subject, {result.rotated}, result.warnings);
  for (const std::string& warning : objective->warnings())
    result.warnings.push_back(name + ": " + warning);
  return result;
}

}  // namespace

std::vector<LayerDescrambling> descramble_layers(const Subject& subject,
                                                 const LayerOptions& options, Progress& progress) {
  const std::vector<std::string> taps =
      positioned_taps(subject.model, options.taps, options.position);
  const LayerView view{options.objective.needs, options.axis, options.rows};
  const auto gather = [&](Split split) {
    return gather_layers(subject, subject.source(split), taps, view, progress);
  };
  const std::vector<Layer> layers = gather(options.data);
  std::vector<Layer> held_out;
  if (subject.separate_test && view.needs != LayerNeeds::weight)
    held_out = gather(options.data == Split::train ? Split::test : Split::train);
  std::vector<LayerDescrambling> result;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    result.push_back(descramble_one(subject, options, layers[i],
                                    held_out.empty() ? nullptr : &held_out[i], progress));
  }
  return result;
}

}  // namespace descramble
