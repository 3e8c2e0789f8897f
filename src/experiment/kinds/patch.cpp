#include "descramble/analysis/patch.h"

#include <optional>

#include "descramble/core/error.h"
#include "experiment/donor_file.h"
#include "experiment/fields.h"
#include "experiment/step.h"
#include "results/patch_report.h"

namespace descramble {

namespace {

using nlohmann::json;

std::string single_tap(const json& resolved, const Model& model) {
  const std::vector<std::string> taps = step_taps(resolved, model);
  if (taps.size() != 1) throw Error({"a patch is of one tap", "tap", "a name", quoted_list(taps)});
  return taps.front();
}

StepResult run_patch(const json& resolved, const Workspace& workspace, Progress& progress) {
  PatchOptions options{.tap = single_tap(resolved, workspace.model),
                       .axis = axis_in(resolved),
                       .data = split_in(resolved)};
  const json& tensor = resolved.at("tensor");
  const DonorFile read =
      read_donor(resolved.at("capture"),
                 tensor.is_null() ? std::nullopt : std::optional(tensor.get<std::string>()),
                 options.tap, workspace.paths);
  options.donor = read.donor;
  if (!resolved.at("units").is_null())
    options.units = resolved.at("units").get<std::vector<std::int64_t>>();
  return patch_report(options, read.file, patch(workspace, options, progress));
}

}  // namespace

const StepKind& step_kind_patch() {
  static const StepKind kind{
      .info = {.name = "patch",
               .summary = "Activation patching: replaces the values of a tap by those that another "
                          "run captured, and compares the outputs",
               .formula = "f(x | h_tap(x_i) := c_i) for the rows c_i of the capture, i = 1 ... n",
               .source = "Vig et al., Investigating Gender Bias in Language Models Using Causal "
                         "Mediation Analysis, NeurIPS 2020; Meng et al., Locating and Editing "
                         "Factual Associations in GPT, NeurIPS 2022, section 2.1",
               .fields = {{.name = "tap", .type = FieldType::string, .doc = "the tap point"},
                          {.name = "capture",
                           .type = FieldType::path,
                           .doc = "a result folder with a capture step, or a safetensors file"},
                          {.name = "tensor",
                           .type = FieldType::string,
                           .doc = "the tensor of the values; null: the only one named "
                                  "steps.i.TAP.values (or TAP.values)",
                           .fallback = nullptr},
                          {.name = "units",
                           .type = FieldType::integers,
                           .doc = "patch these units along the axis only, counted from 0; null: "
                                  "all",
                           .fallback = nullptr,
                           .minimum = 0},
                          axis_field("where the units lie"),
                          data_field("test")}},
      .run = run_patch};
  return kind;
}

}  // namespace descramble
