#include "results/patch_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "results/score_report.h"

namespace descramble {

using nlohmann::json;

namespace {

std::string labelled(const char* what, const Score& score) {
  return fmt::format("  {:<12}{}", what, score_line(score));
}

std::string units_text(const PatchOptions& options) {
  return options.units ? fmt::format("units {}", fmt::join(*options.units, ", ")) : "all units";
}

}  // namespace

StepResult patch_report(const PatchOptions& options, const InputFile& file,
                        const Patched& patched) {
  StepResult result;
  result.inputs.push_back(file);
  result.tensors["before.logits"] = patched.logits_before;
  result.tensors["after.logits"] = patched.logits_after;
  result.json = {{"data", split_name(options.data)},
                 {"tap", options.tap},
                 {"tensor", options.donor.name},
                 {"count", patched.count},
                 {"before", score_json(patched.before)},
                 {"after", score_json(patched.after)},
                 {"agreement", patched.same ? json(patched.agreement()) : json()},
                 {"warnings", patched.warnings}};
  result.lines.push_back(fmt::format("{} of {} {} samples replaced ({}) by '{}' of {}", options.tap,
                                     patched.count, split_name(options.data), units_text(options),
                                     options.donor.name, file.given));
  result.lines.push_back(labelled("before", patched.before));
  result.lines.push_back(labelled("after", patched.after));
  if (patched.same) {
    result.lines.push_back(fmt::format("  {:<12}{:.2f} % of the predicted classes stay ({})",
                                       "agreement", 100 * patched.agreement(), *patched.same));
  }
  if (patched.by_donor) {
    result.json["donor"] = score_json(*patched.by_donor);
    result.lines.push_back(labelled("donor", *patched.by_donor) +
                           ": the outputs after, by the capture's labels");
  }
  for (const std::string& warning : patched.warnings)
    result.lines.push_back(fmt::format("  {:<12}{}", "warning", warning));
  return result;
}

}  // namespace descramble
