#pragma once

#include <filesystem>
#include <string>

#include <ATen/core/Tensor.h>

#include "descramble/core/safetensors.h"

namespace descramble {

/// The safetensors file that a path means: a result folder's tensors.safetensors, else the path.
std::filesystem::path tensor_file(const std::filesystem::path& path);

/// @throws Error with the nearest names where the file, found at `file`, has no tensor `name`
const at::Tensor& find_tensor(const NamedTensors& tensors, const std::string& name,
                              const std::filesystem::path& file);

}  // namespace descramble
