#include "descramble/analysis/measure_jacobian.h"
#include "descramble/core/error.h"
#include "descramble/taps/path.h"
#include "experiment/fields.h"
#include "experiment/step.h"
#include "results/jacobian_report.h"

namespace descramble {

namespace {

using nlohmann::json;

StepResult run_jacobian(const json& resolved, const Workspace& workspace, Progress& progress) {
  const JacobianOptions options{.from = resolved.at("from"),
                                .to = resolved.at("to"),
                                .samples = resolved.at("samples"),
                                .positions = resolved.at("positions"),
                                .keep = resolved.at("keep"),
                                .axis = axis_in(resolved),
                                .rows = rows_in(resolved),
                                .data = split_in(resolved)};
  return jacobian_report(options.data, measure_jacobian(workspace, options, progress));
}

void check_names(const json& steps, std::size_t number) {
  const json& step = steps[number];
  for (const char* key : {"from", "to"}) {
    const std::string name = step.at(key);
    if (name.empty() || name.find('*') != std::string::npos)
      throw Error({"no name of a tap", key, "one tap, no pattern", "'" + name + "'"});
  }
  if (step.at("from") == step.at("to"))
    throw Error(
        {"a Jacobian needs two taps", "to", "another one than 'from'", step.at("to").dump()});
}

void check_taps(const json& step, const Model& model) {
  require_taps(model, {step.at("from")}, "from");
  require_taps(model, {step.at("to")}, "to");
  find_path(model, step.at("from"), step.at("to"));
}

}  // namespace

const StepKind& step_kind_jacobian() {
  static const StepKind kind{
      .info = {.name = "jacobian",
               .summary = "The Jacobian of one tap's value with respect to another's: mean, "
                          "spread, singular values, pictures",
               .formula = "J(x) = dh_to / dh_from",
               .fields =
                   {{.name = "from", .type = FieldType::string, .doc = "the tap on the input side"},
                    {.name = "to", .type = FieldType::string, .doc = "the tap on the output side"},
                    {.name = "samples",
                     .type = FieldType::integer,
                     .doc = "inputs whose Jacobians are taken, evenly out of the data",
                     .fallback = 2048,
                     .minimum = 1},
                    {.name = "positions",
                     .type = FieldType::integer,
                     .doc = "sampled output positions where a tap has positions (channels, "
                            "tokens)",
                     .fallback = 8,
                     .minimum = 1},
                    {.name = "keep",
                     .type = FieldType::boolean,
                     .doc = "write the whole stack into the result's tensors",
                     .fallback = false},
                    axis_field(),
                    rows_field(),
                    data_field("train")}},
      .run = run_jacobian,
      .check = check_names,
      .check_model = check_taps};
  return kind;
}

}  // namespace descramble
