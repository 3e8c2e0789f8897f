#pragma once

#include <filesystem>
#include <map>
#include <string>

#include <ATen/core/Tensor.h>

namespace descramble {

/// Name → tensor, sorted, so that equal content gives equal bytes.
using NamedTensors = std::map<std::string, at::Tensor>;

/// Writes the safetensors format (8-byte little-endian header length, JSON header, raw data).
/// Dtypes: F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL.
/// @throws Error for another dtype, Failure when writing fails
void save_safetensors(const std::filesystem::path& file, const NamedTensors& tensors,
                      const std::map<std::string, std::string>& metadata = {});

/// Reads the format back, and checks every length and offset against the file.
/// @throws Error naming file, tensor, expected and found
NamedTensors load_safetensors(const std::filesystem::path& file);

}  // namespace descramble
