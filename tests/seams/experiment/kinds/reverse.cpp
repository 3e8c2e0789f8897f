#include <ATen/ops/eye.h>

#include "descramble/analysis/insertion.h"
#include "descramble/analysis/tap_moments.h"
#include "experiment/step.h"
#include "results/certificate_json.h"
#include "results/tap_json.h"

namespace descramble {

namespace {

/// Turns the order of a tap's quantities round and certifies that.
StepResult run_reverse(const nlohmann::json& resolved, const Workspace& workspace,
                       Progress& progress) {
  const std::vector<std::string> taps = step_taps(resolved, workspace.model);
  const TapMoments measured =
      measure_taps(workspace, workspace.train, taps, std::nullopt, {}, progress).at(0);
  const at::Tensor reversed = at::eye(measured.space.dimension, at::kDouble).flip(0).contiguous();
  const RotatedTap rotated{measured.space, RotationPair(reversed)};
  StepResult result;
  std::vector<std::string> warnings;
  const Certificate certificate = certify(workspace, {rotated}, warnings);
  nlohmann::json tap = tap_json(measured.space);
  tap["certificate"] = certificate_json(certificate);
  result.json = {{"taps", nlohmann::json::array({tap})},
                 {"warnings", warnings},
                 {"certificate", certificate_json(certificate)}};
  result.floor = certificate.floor;
  result.tensors[measured.space.name + ".rotation"] = reversed;
  result.edits.push_back(edit_of(rotated));
  result.lines.push_back(measured.space.name + " reversed");
  return result;
}

}  // namespace

const StepKind& step_kind_reverse() {
  static const StepKind kind{
      .info = {.name = "reverse",
               .summary = "Turns the order of a layer's quantities round",
               .fields = {{.name = "tap", .type = FieldType::string, .doc = "the tap point"}}},
      .run = run_reverse,
      .rotates = step_taps};
  return kind;
}

}  // namespace descramble
