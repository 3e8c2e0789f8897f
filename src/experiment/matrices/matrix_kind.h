#pragma once

#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "descramble/config/kind.h"
#include "descramble/core/progress.h"
#include "descramble/reading/reading.h"
#include "experiment/step.h"

namespace descramble {

/// What a matrix of a step `read` is made from.
struct MatrixContext {
  const Workspace& workspace;
  std::string place{};             ///< the key of the matrix in the step, for errors
  std::vector<InputFile>& inputs;  ///< gets the files that were read
  Progress& progress;
};

/// A matrix that the step `read` can ask questions of.
struct MatrixKind {
  KindInfo info{};
  /// @throws Error with the key for a step or tap without a rotation, or a file without the tensor
  MatrixView (*make)(const nlohmann::json& resolved, const MatrixContext& context) = nullptr;
  /// The same matrix in the basis of the network; absent where no step rotated it.
  std::optional<MatrixView> (*raw)(const nlohmann::json& resolved,
                                   const MatrixContext& context) = nullptr;
  /// Whether a rotation acts on its columns too; absent: on its rows alone.
  bool (*turns_columns)(const nlohmann::json& resolved) = nullptr;
  bool of_network = true;  ///< a network without training has such a matrix
  /// Checks what the config alone shows; `place` is the key. @throws Error
  void (*check)(const nlohmann::json& resolved, const std::string& place) = nullptr;
  /// Fields that name a tap or a layer of the model.
  std::vector<std::string> names_taps{};
};

/// Every kind in src/experiment/matrices/builtin.def.
const KindFamily& matrix_family();
const MatrixKind& matrix_kind(const std::string& name);

/// A field that names an earlier step; null: none.
Field rotating_step_field(const char* name, const char* doc);

/// The earlier steps whose rotations the matrix takes: fields `step`, `left` and `right`.
std::set<std::int64_t> steps_of_matrix(const nlohmann::json& resolved);

/// The rotation that an earlier step found at a tap. @throws Error with the place
at::Tensor rotation_of(const Workspace& workspace, std::int64_t step, const std::string& tap,
                       const std::string& place);

}  // namespace descramble
