#include "descramble/analysis/matrices.h"
#include "descramble/core/error.h"
#include "experiment/fields.h"
#include "experiment/matrices/matrix_kind.h"
#include "experiment/step_memory.h"

namespace descramble {

namespace {

using nlohmann::json;

MatrixView at_mean(const json& resolved, const MatrixContext& context) {
  const Workspace& workspace = context.workspace;
  const Split data = split_in(resolved);
  const InputMeans& means = mean_inputs_of(workspace, data, context.progress);
  if (!resolved.at("directions").is_null()) {
    return noise_jacobian_at_mean(workspace, resolved.at("to"), data, means,
                                  {.samples = resolved.at("directions")}, context.progress);
  }
  return jacobian_at_mean(workspace, resolved.at("from"), resolved.at("to"), data, means,
                          context.progress);
}

void check_directions(const json& resolved, const std::string& place) {
  if (resolved.at("directions").is_null() || resolved.at("from") == "input") return;
  throw Error({"random directions are of the input", place + "/from", "'input'",
               resolved.at("from").dump()});
}

}  // namespace

const MatrixKind& matrix_kind_jacobian_at_mean() {
  static const MatrixKind kind{
      .info = {.name = "jacobian_at_mean",
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
      .make = at_mean,
      .check = check_directions,
      .names_taps = {"from", "to"}};
  return kind;
}

}  // namespace descramble
