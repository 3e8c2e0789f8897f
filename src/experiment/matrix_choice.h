#pragma once

#include <set>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "descramble/config/kind.h"
#include "descramble/core/progress.h"
#include "descramble/reading/reading.h"
#include "experiment/step.h"

namespace descramble {

/// "matrix" of a step `read`: the weight of a layer, a rotation, a Jacobian at the mean, a tensor
/// of a file.
const KindFamily& matrix_family();

/// Checks what the config alone shows. @throws Error
void check_matrix(const nlohmann::json& resolved, const std::string& place);

/// The earlier steps whose rotations the matrix takes.
std::set<std::int64_t> steps_of_matrix(const nlohmann::json& resolved);

/// The matrix. `inputs` gets the files that were read; `place` is its key, for errors.
/// @throws Error with the key for a step or tap without a rotation, or a file without the tensor
MatrixView matrix_in(const nlohmann::json& resolved, const Workspace& workspace,
                     std::vector<InputFile>& inputs, const std::string& place, Progress& progress);

}  // namespace descramble
