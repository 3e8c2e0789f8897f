#pragma once

#include <memory>
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

struct StepMemory;

/// The data that all steps of an experiment share. They are opened once, and no step changes them.
struct Workspace : Subject {
  PathSearch paths{};      ///< finds the files that a step names
  Rotations rotations{};   ///< that the steps before this one have found
  nlohmann::json steps{};  ///< of the experiment, resolved
  /// Saves work that two steps have in common (step_memory.h).
  std::shared_ptr<StepMemory> memory{};
};

struct StepKind {
  KindInfo info{};
  StepResult (*run)(const nlohmann::json& resolved, const Workspace& workspace,
                    Progress& progress) = nullptr;
  /// Checks step `number` of `steps` from the config alone; absent: there is nothing to check.
  /// @throws Error
  void (*check)(const nlohmann::json& steps, std::size_t number) = nullptr;
  /// Checks the step when the model is open, before any step runs. @throws Error
  void (*check_model)(const nlohmann::json& resolved, const Model& model) = nullptr;
  /// The taps that a step rotates; absent: none.
  std::vector<std::string> (*rotates)(const nlohmann::json& resolved, const Model& model) = nullptr;
};

/// Every kind in src/experiment/builtin.def.
const std::vector<StepKind>& step_kinds();
const KindFamily& step_family();
/// The kind of that name, which is known to exist.
const StepKind& step_kind(const std::string& name);
/// "/steps/2 (completeness)".
std::string step_place(const nlohmann::json& steps, std::size_t number);
/// Runs `work`; its Error gets the name of the step in front.
template <typename Work>
auto in_step(const nlohmann::json& steps, std::size_t number, const Work& work) {
  return within(step_place(steps, number), work);
}
/// Runs the checks of all steps that need only the config. @throws Error
void check_steps(const nlohmann::json& steps);

/// The taps that a step names ("tap": a name, or "taps": names and globs), in the model's order.
/// @throws Error with the pointer
std::vector<std::string> step_taps(const nlohmann::json& resolved, const Model& model);

/// The selectors that a step names.
std::vector<std::string> step_selectors(const nlohmann::json& resolved);

/// Checks that all of these are taps of the model. @throws Error with the pointer
void require_taps(const Model& model, const std::vector<std::string>& names,
                  const std::string& pointer);

}  // namespace descramble
