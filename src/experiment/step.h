#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "descramble/basis/kinds.h"
#include "descramble/config/kind.h"
#include "descramble/core/error.h"
#include "descramble/core/progress.h"
#include "descramble/core/safetensors.h"
#include "descramble/data/data_set.h"
#include "descramble/model/model.h"
#include "descramble/taps/export.h"
#include "experiment/check_samples.h"
#include "experiment/table.h"

namespace descramble {

/// What an experiment has at hand for its steps: opened once, shared by all, changed by none of
/// them.
struct Workspace {
  Model model;
  Source train{};
  Source test{};
  bool separate_test = false;  ///< train and test are different sources
  std::uint64_t seed = 0;
  std::int64_t memory_mb = 4096;
  PathSearch paths{};     ///< finds the files that a step names
  Rotations rotations{};  ///< that the steps before this one have found
  CheckSamples check{};   ///< for certificates
  double tolerance = 0;   ///< of certificates, from the config; 0: by dtype

  const Source& source(const std::string& split) const { return split == "train" ? train : test; }
  /// The model that takes the check samples from its start, whatever ran before.
  Model check_model() const { return model.with_policy(StatePolicy::reset); }
};

/// What a step leaves behind.
struct StepResult {
  nlohmann::json json = nlohmann::json::object();
  NamedTensors tensors{};             ///< names without the prefix "steps.i."
  std::vector<RotationEdit> edits{};  ///< rotations for the exported model
  std::vector<InputFile> inputs{};    ///< files that it read, besides the model and the data
  /// Rows for `<name>.csv`, to which all steps add; the column "step" is put in front of them.
  std::vector<Table> tables{};
  std::vector<NamedFigure> figures{};  ///< for `steps.<i>.<name>.svg`
  std::vector<std::string> lines{};    ///< for a person, on the terminal
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

/// The field that each step has: which data it runs on.
Field data_field(const char* fallback);

/// The same source with floating-point inputs and labels in `dtype`.
Source with_dtype(const Source& source, at::ScalarType dtype);

/// Its first samples only.
Source with_size(const Source& source, std::int64_t size);

/// Runs `visit` on every batch of a source, inputs moved to the model's device, from the model's
/// start on; asks for interrupts.
void for_each_batch(const Source& source, const Model& model, Progress& progress,
                    const std::string& label, const std::function<void(const Batch& batch)>& visit);

/// The taps that a step names ("tap": a name, or "taps": names and globs), in the model's order.
/// @throws Error with the pointer
std::vector<std::string> step_taps(const nlohmann::json& resolved, const Model& model);

/// The same with the field "position": "after" a tap is its value; "before" it, what its call
/// receives (NAME.input); "both", one behind the other.
std::vector<std::string> positioned_taps(const nlohmann::json& resolved, const Model& model);

/// All of these are taps of the model. @throws Error with the pointer
void require_taps(const Model& model, const std::vector<std::string>& names,
                  const std::string& pointer);

}  // namespace descramble
