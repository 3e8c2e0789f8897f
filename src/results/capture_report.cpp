#include "results/capture_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace descramble {

StepResult capture_report(Split data, const Captured& captured) {
  StepResult result;
  result.json = {{"data", split_name(data)},
                 {"count", captured.count},
                 {"taps", nlohmann::json::array()},
                 {"warnings", captured.warnings}};
  for (const Captured::Tap& tap : captured.taps) {
    const at::Tensor& values = tap.values;
    result.json["taps"].push_back({{"name", tap.name},
                                   {"shape", values.sizes().slice(1).vec()},
                                   {"dtype", dtype_name(values.scalar_type())}});
    result.tensors[tap.name + ".values"] = values;
    result.lines.push_back(fmt::format("{}: {} {}", tap.name, fmt::join(values.sizes(), "x"),
                                       dtype_name(values.scalar_type())));
  }
  for (const std::string& warning : captured.warnings)
    result.lines.push_back("  warning: " + warning);
  if (captured.labels.defined()) result.tensors["labels"] = captured.labels;
  return result;
}

}  // namespace descramble
