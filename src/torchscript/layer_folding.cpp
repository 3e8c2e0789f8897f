#include "torchscript/layer_folding.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>

#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <torch/csrc/jit/ir/constants.h>

#include "descramble/taps/axis.h"
#include "torchscript/names.h"
#include "torchscript/node_numbers.h"
#include "torchscript/retype.h"

namespace descramble {

using torch::jit::Module;
using torch::jit::Node;

namespace {

/// Spans of all tensors of distinct modules (tied weights stand there twice).
std::vector<Span> spans_of(const Module& module) {
  std::vector<Span> spans;
  std::set<const void*> seen;
  for (const auto& child : module.named_modules()) {
    if (!seen.insert(child.value._ivalue().get()).second) continue;
    for (const auto& attribute : child.value.named_attributes(false)) {
      for (const Span& span : spans_in(attribute.value)) spans.push_back(span);
    }
  }
  return spans;
}

/// A weight of its own, and no parts that one is made from.
bool holds_weight(const Module& layer) {
  return layer.hasattr("weight") && !layer.hasattr("weight_g") && !layer.hasattr("weight_v") &&
         !layer.hasattr("weight_orig") && !layer.hasattr("parametrizations");
}

/// Whether an operation of the layer works in groups.
bool works_in_groups(const Module& layer) {
  const auto group_argument = [](const Node* node) -> std::int64_t {
    const auto* schema = node->maybeSchema();
    if (schema == nullptr) return 1;
    for (std::size_t i = 0; i < schema->arguments().size() && i < node->inputs().size(); ++i) {
      if (schema->arguments()[i].name() != "groups") continue;
      const auto value = torch::jit::toIValue(node->input(i));
      return value && value->isInt() ? value->toInt() : 1;
    }
    return 1;
  };
  for (const auto& method : layer.get_methods()) {
    auto graph = method.graph();
    for (const Node* node : numbered_nodes(graph->block())) {
      if (group_argument(node) > 1) return true;
    }
  }
  return false;
}

void set_like(Module& layer, const std::string& name, const at::Tensor& value,
              const at::Tensor& like) {
  layer.setattr(name, value.to(like.device(), like.scalar_type())
                          .contiguous()
                          .set_requires_grad(like.requires_grad()));
}

}  // namespace

LayerFolding::LayerFolding(const TorchScript& script, const Survey& survey)
    : original_(script.module),
      survey_(survey),
      spans_(spans_of(original_)),
      objects_(objects_by_path(original_)) {
  for (const std::string& method : script.other_methods()) {
    TorchScript other(script);
    other.set_method(method);
    others_.emplace(method, survey_of(other));
  }
}

std::string LayerFolding::obstacle(const RotationEdit& edit, const std::string& path,
                                   bool input_side) const {
  if (path.empty()) return "no layer called there";
  const Module layer = module_at(original_, path);
  const std::string kind = layer.type()->name()->name();
  const bool linear = kind == "Linear";
  const int spatial = kind == "Conv1d" ? 1 : kind == "Conv2d" ? 2 : kind == "Conv3d" ? 3 : 0;
  if (!is_torch_nn(layer.type()) || (!linear && spatial == 0))
    return fmt::format("'{}' is a {}", path, kind);
  const bool packed = layer.hasattr("_packed_params");
  if (!packed && !holds_weight(layer)) {
    return fmt::format(
        "'{}' computes its weight in forward (weight_norm or another "
        "parametrisation)",
        path);
  }
  if (packed || !layer.attr("weight").isTensor())
    return fmt::format("'{}' holds packed (quantised) weights", path);
  const at::Tensor weight = layer.attr("weight").toTensor();
  if (!weight.is_floating_point())
    return fmt::format("'{}' holds {} weights", path, dtype_name(weight.scalar_type()));
  const auto calls = survey_.calls.find(objects_.at(path));
  if (calls == survey_.calls.end() || calls->second != 1)
    return fmt::format("'{}' is called more than once", path);
  const auto reads = survey_.reads.find(path + ".weight");
  if (reads == survey_.reads.end() || reads->second != 1)
    return fmt::format("the weight of '{}' is read elsewhere too", path);
  const Span own = span_of(weight);
  const auto overlapping = std::count_if(spans_.begin(), spans_.end(),
                                         [&](const Span& other) { return own.overlaps(other); });
  if (overlapping > 1) return fmt::format("the weight of '{}' is tied", path);
  for (const auto& [method, other] : others_) {
    if (!reads_apart(other, path)) continue;
    return fmt::format("the method '{}' uses '{}' too", method, path);
  }
  const bool fits = linear ? edit.axis == Axis::features || edit.dimensions == 2
                           : edit.axis == Axis::channels && edit.dimensions == spatial + 2;
  if (!fits) return fmt::format("'{}' does not mix the axis '{}'", path, axis_name(edit.axis));
  const std::int64_t d = edit.rotation.size(0);
  if (weight.size(input_side ? 1 : 0) != d) {
    return spatial > 0
               ? fmt::format("'{}' works in groups of channels", path)
               : fmt::format("'{}' takes {} features", path, weight.size(input_side ? 1 : 0));
  }
  // A grouped convolution may still match by number: its output rows belong to separate groups.
  if (spatial > 0 && !input_side && works_in_groups(layer))
    return fmt::format("'{}' works in groups of channels", path);
  return "";
}

bool LayerFolding::reads_apart(const Survey& other, const std::string& path) const {
  int reads = 0;
  for (const char* name : {".weight", ".bias"}) {
    const auto found = other.reads.find(path + name);
    if (found != other.reads.end()) reads = std::max(reads, found->second);
  }
  if (reads == 0) return false;
  const auto here = survey_.sites.find(path);
  const auto there = other.sites.find(path);
  if (here == survey_.sites.end() || there == other.sites.end()) return true;
  const CallSite& site = here->second.front();
  const bool same =
      std::all_of(there->second.begin(), there->second.end(), [&](const CallSite& one) {
        return one.module == site.module && one.method == site.method && one.node == site.node;
      });
  return !same || reads != static_cast<int>(there->second.size());
}

void fold_into_outputs(const at::Tensor& rotation, const std::string& path, Module layer,
                       RotationSide& side) {
  const at::Tensor weight = layer.attr("weight").toTensor();
  const at::Tensor folded =
      rotation.matmul(weight.detach().to(at::kCPU, at::kDouble).flatten(1)).reshape(weight.sizes());
  set_like(layer, "weight", folded, weight);
  if (layer.hasattr("bias") && layer.attr("bias").isTensor() &&
      layer.attr("bias").toTensor().defined()) {
    const at::Tensor bias = layer.attr("bias").toTensor();
    set_like(layer, "bias", rotation.mv(bias.detach().to(at::kCPU, at::kDouble)), bias);
  }
  side.module = path;
  side.weight = weight.detach();
  side.weight_descrambled = layer.attr("weight").toTensor().detach();
}

void fold_into_inputs(const at::Tensor& rotation, const std::string& path, Module layer,
                      RotationSide& side) {
  const at::Tensor weight = layer.attr("weight").toTensor();
  // W [out, in, …]: the input index is turned by P, W′[o, j] = Σ_i W[o, i] P[j, i].
  const at::Tensor plain = weight.detach().to(at::kCPU, at::kDouble);
  const at::Tensor folded = plain.movedim(1, -1).matmul(rotation.t()).movedim(-1, 1).contiguous();
  set_like(layer, "weight", folded, weight);
  side.module = path;
  side.weight = weight.detach();
  side.weight_descrambled = layer.attr("weight").toTensor().detach();
}

}  // namespace descramble
