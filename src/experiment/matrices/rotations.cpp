#include <fmt/format.h>

#include "descramble/core/error.h"
#include "experiment/matrices/matrix_kind.h"

namespace descramble {

using nlohmann::json;

Field rotating_step_field(const char* name, const char* doc) {
  return {.name = name, .type = FieldType::integer, .doc = doc, .fallback = nullptr, .minimum = 0};
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

}  // namespace descramble
