#include "descramble/analysis/matrices.h"
#include "experiment/matrices/matrix_kind.h"

namespace descramble {

namespace {

using nlohmann::json;

/// "left" or "right": P of a step and its tap; undefined if it is null.
at::Tensor side_in(const json& resolved, const std::string& side, const std::string& usual,
                   const MatrixContext& context) {
  if (resolved.at(side).is_null()) return {};
  const json& tap = resolved.at(side + "_tap");
  return rotation_of(context.workspace, resolved.at(side),
                     tap.is_null() ? usual : tap.get<std::string>(), context.place + "/" + side);
}

MatrixView rotated_weight(const json& resolved, const MatrixContext& context) {
  const std::string layer = resolved.at("layer");
  return weight_view(context.workspace, layer, side_in(resolved, "left", layer, context),
                     side_in(resolved, "right", layer + ".input", context));
}

std::optional<MatrixView> raw_weight(const json& resolved, const MatrixContext& context) {
  if (steps_of_matrix(resolved).empty()) return std::nullopt;
  return weight_view(context.workspace, resolved.at("layer"));
}

}  // namespace

const MatrixKind& matrix_kind_weight() {
  static const MatrixKind kind{
      .info = {.name = "weight",
               .summary = "the weight of a layer, raw or in the bases that earlier steps found",
               .formula = "P W P'^T, P of the layer's output, P' of its input",
               .fields = {{.name = "layer",
                           .type = FieldType::string,
                           .doc = "a linear or convolution layer"},
                          rotating_step_field(
                              "left", "the step that rotated the layer's output; null: none"),
                          {.name = "left_tap",
                           .type = FieldType::string,
                           .doc = "the tap that it rotated; null: the layer",
                           .fallback = nullptr},
                          rotating_step_field(
                              "right", "the step that rotated the layer's input; null: none"),
                          {.name = "right_tap",
                           .type = FieldType::string,
                           .doc = "the tap that it rotated; null: LAYER.input",
                           .fallback = nullptr}}},
      .make = rotated_weight,
      .raw = raw_weight,
      .turns_columns = [](const json& resolved) { return !resolved.at("right").is_null(); },
      .names_taps = {"layer"}};
  return kind;
}

}  // namespace descramble
