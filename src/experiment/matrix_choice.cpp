#include "experiment/matrix_choice.h"

#include <fmt/format.h>

#include "descramble/analysis/matrices.h"
#include "descramble/core/error.h"
#include "descramble/core/files.h"
#include "descramble/core/safetensors.h"
#include "experiment/fields.h"

namespace descramble {

using nlohmann::json;

namespace {

Field step_field(const char* name, const char* doc) {
  return {.name = name, .type = FieldType::integer, .doc = doc, .fallback = nullptr, .minimum = 0};
}

at::Tensor rotation_of(const Workspace& workspace, std::int64_t step, const std::string& tap,
                       const std::string& place) {
  const auto found = workspace.rotations.find({step, tap});
  if (found != workspace.rotations.end()) return found->second;
  std::vector<std::string> known;
  for (const auto& [of, rotation] : workspace.rotations)
    known.push_back(fmt::format("step {}, tap {}", of.first, of.second));
  throw Error({"no such rotation", place,
               known.empty() ? "an earlier step that rotates" : "one of " + quoted_list(known),
               fmt::format("step {}, tap {}", step, tap)});
}

/// "left" or "right" of a weight: P of a step and its tap; undefined if it is null.
at::Tensor side_in(const json& resolved, const std::string& side, const std::string& usual,
                   const Workspace& workspace, const std::string& place) {
  if (resolved.at(side).is_null()) return {};
  const json& tap = resolved.at(side + "_tap");
  return rotation_of(workspace, resolved.at(side), tap.is_null() ? usual : tap.get<std::string>(),
                     place + "/" + side);
}

MatrixView tensor_in(const json& resolved, const Workspace& workspace,
                     std::vector<InputFile>& inputs, const std::string& place) {
  const std::string given = resolved.at("path");
  const std::string name = resolved.at("name");
  InputFile file{"matrix", given, workspace.paths.find(given, place + "/path")};
  if (std::filesystem::is_directory(file.path)) file.path /= "tensors.safetensors";
  const NamedTensors tensors = load_safetensors(file.path);
  const auto found = tensors.find(name);
  if (found == tensors.end()) {
    std::vector<std::string> known;
    for (const auto& [one, tensor] : tensors) known.push_back(one);
    throw Error({"no such tensor", file.path.string(),
                 "one of " + quoted_list(nearest(name, known)), "'" + name + "'"});
  }
  file.sha256 = sha256_of_path(file.path);
  inputs.push_back(std::move(file));
  return {.title = name, .values = found->second.to(at::kDouble)};
}

}  // namespace

const KindFamily& matrix_family() {
  static const KindFamily family{
      .title = "matrix",
      .kinds = {
          {.name = "weight",
           .summary = "the weight of a layer, raw or in the bases that earlier steps found",
           .formula = "P W P'^T, P of the layer's output, P' of its input",
           .fields = {{.name = "layer",
                       .type = FieldType::string,
                       .doc = "a linear or convolution layer"},
                      step_field("left", "the step that rotated the layer's output; null: none"),
                      {.name = "left_tap",
                       .type = FieldType::string,
                       .doc = "the tap that it rotated; null: the layer",
                       .fallback = nullptr},
                      step_field("right", "the step that rotated the layer's input; null: none"),
                      {.name = "right_tap",
                       .type = FieldType::string,
                       .doc = "the tap that it rotated; null: LAYER.input",
                       .fallback = nullptr}}},
          {.name = "rotation",
           .summary = "the rotation that an earlier step found",
           .fields = {{.name = "step",
                       .type = FieldType::integer,
                       .doc = "the number of the step",
                       .minimum = 0},
                      {.name = "tap", .type = FieldType::string, .doc = "its tap"}}},
          {.name = "jacobian_at_mean",
           .summary = "the Jacobian between two taps at the mean input",
           .formula = "dh_to / dh_from at E[x]",
           .fields =
               {{.name = "from",
                 .type = FieldType::string,
                 .doc = "the tap on the input side",
                 .fallback = "input"},
                {.name = "to", .type = FieldType::string, .doc = "the tap on the output side"},
                {.name = "directions",
                 .type = FieldType::integer,
                 .doc = "null: the whole Jacobian, by autograd; a number: its left singular "
                        "vectors from as many random directions of the input, for Jacobians "
                        "that do not fit into memory",
                 .fallback = nullptr,
                 .minimum = 2},
                data_field("train")}},
          {.name = "tensor",
           .summary = "a matrix of a safetensors file",
           .fields = {{.name = "path",
                       .type = FieldType::path,
                       .doc = "the file, or a result folder (its tensors.safetensors)"},
                      {.name = "name", .type = FieldType::string, .doc = "the tensor"}}}}};
  return family;
}

void check_matrix(const json& resolved, const std::string& place) {
  if (resolved.at("kind") != "jacobian_at_mean" || resolved.at("directions").is_null()) return;
  if (resolved.at("from") == "input") return;
  throw Error({"random directions are of the input", place + "/from", "'input'",
               resolved.at("from").dump()});
}

std::set<std::int64_t> steps_of_matrix(const json& resolved) {
  std::set<std::int64_t> steps;
  for (const char* key : {"left", "right", "step"}) {
    if (resolved.contains(key) && !resolved.at(key).is_null()) {
      steps.insert(resolved.at(key).get<std::int64_t>());
    }
  }
  return steps;
}

MatrixView matrix_in(const json& resolved, const Workspace& workspace,
                     std::vector<InputFile>& inputs, const std::string& place, Progress& progress) {
  const std::string kind = resolved.at("kind");
  if (kind == "weight") {
    const std::string layer = resolved.at("layer");
    return weight_view(workspace, layer, side_in(resolved, "left", layer, workspace, place),
                       side_in(resolved, "right", layer + ".input", workspace, place));
  }
  if (kind == "rotation") {
    const std::string tap = resolved.at("tap");
    return {.title = "P of " + tap,
            .values = rotation_of(workspace, resolved.at("step"), tap, place)};
  }
  if (kind == "jacobian_at_mean") {
    if (!resolved.at("directions").is_null()) {
      return noise_jacobian_at_mean(workspace, resolved.at("to"), split_in(resolved),
                                    {.samples = resolved.at("directions")}, progress);
    }
    return jacobian_at_mean(workspace, resolved.at("from"), resolved.at("to"), split_in(resolved),
                            progress);
  }
  return tensor_in(resolved, workspace, inputs, place);
}

}  // namespace descramble
