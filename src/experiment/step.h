#pragma once

#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "descramble/analysis/subject.h"
#include "descramble/basis/kinds.h"
#include "descramble/config/kind.h"
#include "descramble/core/error.h"
#include "descramble/core/paths.h"
#include "descramble/core/progress.h"
#include "descramble/model/model.h"
#include "results/step_result.h"

namespace descramble {

/// What an experiment has at hand for its steps: opened once, shared by all, changed by none of
/// them.
struct Workspace : Subject {
  PathSearch paths{};     ///< finds the files that a step names
  Rotations rotations{};  ///< that the steps before this one have found
};

struct StepKind {
  KindInfo info{};
  StepResult (*run)(const nlohmann::json& resolved, const Workspace& workspace,
                    Progress& progress) = nullptr;
  /// What can be said of step `number` of `steps` from the config alone; absent: nothing.
  /// @throws Error
  void (*check)(const nlohmann::json& steps, std::size_t number) = nullptr;
  /// What can be said once the model is there, before any step has run. @throws Error
  void (*check_model)(const nlohmann::json& resolved, const Model& model) = nullptr;
  /// The taps whose values it rotates; absent: none.
  std::vector<std::string> (*rotates)(const nlohmann::json& resolved, const Model& model) = nullptr;
};

/// Every kind in src/experiment/builtin.def.
const std::vector<StepKind>& step_kinds();
const KindFamily& step_family();
/// The kind of that name, which is known to exist.
const StepKind& step_kind(const std::string& name);
/// "/steps/2 (completeness)".
std::string step_place(const nlohmann::json& steps, std::size_t number);
/// Runs `work`; its Error says in front which step it is about.
template <typename Work>
auto in_step(const nlohmann::json& steps, std::size_t number, const Work& work) {
  return within(step_place(steps, number), work);
}
/// What the kinds of all steps say of them from the config alone. @throws Error
void check_steps(const nlohmann::json& steps);

/// The taps that a step names ("tap": a name, or "taps": names and globs), in the model's order.
/// @throws Error with the pointer
std::vector<std::string> step_taps(const nlohmann::json& resolved, const Model& model);

/// What it names, as selectors.
std::vector<std::string> step_selectors(const nlohmann::json& resolved);

/// All of these are taps of the model. @throws Error with the pointer
void require_taps(const Model& model, const std::vector<std::string>& names,
                  const std::string& pointer);

}  // namespace descramble
