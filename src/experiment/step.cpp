#include "experiment/step.h"

#include <fmt/format.h>

#include "descramble/taps/select.h"
#include "experiment/fields.h"

namespace descramble {

std::string step_place(const nlohmann::json& steps, std::size_t number) {
  return fmt::format("/steps/{} ({})", number, steps[number].at("kind").get<std::string>());
}

void check_steps(const nlohmann::json& steps) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const StepKind& kind = step_kind(steps[i].at("kind"));
    if (kind.check != nullptr) in_step(steps, i, [&] { kind.check(steps, i); });
  }
}

std::vector<std::string> step_selectors(const nlohmann::json& resolved) {
  for (const char* key : {"tap", "taps"}) {
    if (resolved.contains(key) && !resolved[key].is_null()) return names_in_field(resolved[key]);
  }
  return {};
}

std::vector<std::string> step_taps(const nlohmann::json& resolved, const Model& model) {
  return select_taps(model, step_selectors(resolved));
}

void require_taps(const Model& model, const std::vector<std::string>& names,
                  const std::string& pointer) {
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string place = names.size() == 1 ? pointer : fmt::format("{}/{}", pointer, i);
    with_complaint([&](Complaint& complaint) { complaint.where = place; },
                   [&] { select_taps(model, {names[i]}); });
  }
}

}  // namespace descramble
