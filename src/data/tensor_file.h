#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include "descramble/core/paths.h"
#include "descramble/core/safetensors.h"
#include "descramble/data/data_set.h"

namespace descramble {

/// Finds the safetensors file that a path means: a result folder's tensors.safetensors, else the
/// path. @throws Error naming `pointer` when there is none
InputFile find_tensor_file(const std::string& role, const std::string& path,
                           const PathSearch& paths, const std::string& pointer);

/// @throws Error with the most similar names if the file, found at `file`, has no tensor `name`
const at::Tensor& find_tensor(const NamedTensors& tensors, const std::string& name,
                              const std::filesystem::path& file);

}  // namespace descramble
