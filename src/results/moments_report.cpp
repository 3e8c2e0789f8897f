#include "results/moments_report.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/scalar_tensor.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "results/tap_json.h"

namespace descramble {

StepResult moments_report(Split data, const std::vector<TapMoments>& taps) {
  StepResult result;
  result.json = {{"data", split_name(data)}, {"taps", nlohmann::json::array()}};
  for (const TapMoments& tap : taps) {
    const std::string& name = tap.space.name;
    const at::Tensor covariance = tap.moments.covariance();
    const double variance = covariance.trace().item<double>();
    nlohmann::json entry = tap_json(tap.space);
    entry["count"] = tap.moments.count();
    entry["total_variance"] = variance;
    entry["mean_norm"] = tap.moments.mean().norm().item<double>();
    result.json["taps"].push_back(entry);
    result.tensors[name + ".mean"] = tap.moments.mean();
    result.tensors[name + ".covariance"] = covariance;
    result.tensors[name + ".count"] = at::scalar_tensor(tap.moments.count(), at::kLong);
    result.lines.push_back(fmt::format("{} ({}, {}): {} rows, total variance {:.4g}", name,
                                       fmt::join(tap.space.shape, "x"), axis_name(tap.space.axis),
                                       tap.moments.count(), variance));
  }
  return result;
}

}  // namespace descramble
