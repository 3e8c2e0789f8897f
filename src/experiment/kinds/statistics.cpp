#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "experiment/tap_pass.h"

namespace descramble {

namespace {

StepResult run_statistics(const nlohmann::json& resolved, const Workspace& workspace,
                          Progress& progress) {
  const std::vector<std::string> taps = step_taps(resolved, workspace.model);
  const std::string split = resolved.at("data");
  StepResult result;
  result.json = {{"data", split}, {"taps", nlohmann::json::array()}};
  for (const TapMoments& tap :
       measure_taps(workspace, workspace.source(split), taps, resolved.at("axis"),
                    {row_selection(resolved, workspace)}, progress)) {
    const at::Tensor covariance = tap.moments.covariance();
    const double variance = covariance.trace().item<double>();
    nlohmann::json entry = tap_json(tap);
    entry["count"] = tap.moments.count();
    entry["total_variance"] = variance;
    entry["mean_norm"] = tap.moments.mean().norm().item<double>();
    result.json["taps"].push_back(entry);
    result.tensors[tap.tap + ".mean"] = tap.moments.mean();
    result.tensors[tap.tap + ".covariance"] = covariance;
    result.tensors[tap.tap + ".count"] = at::scalar_tensor(tap.moments.count(), at::kLong);
    result.lines.push_back(fmt::format("{} ({}, {}): {} rows, total variance {:.4g}", tap.tap,
                                       fmt::join(tap.shape, "x"), axis_name(tap.axis),
                                       tap.moments.count(), variance));
  }
  return result;
}

}  // namespace

const StepKind& step_kind_statistics() {
  static const StepKind kind{
      .info = {.name = "statistics",
               .summary = "Mean and covariance of the values at taps, in one pass over the data",
               .fields = {{.name = "taps",
                           .type = FieldType::names,
                           .doc = "tap points: names or globs (* within one component, ** across)"},
                          axis_field(),
                          rows_field(),
                          data_field("train")}},
      .run = run_statistics};
  return kind;
}

}  // namespace descramble
