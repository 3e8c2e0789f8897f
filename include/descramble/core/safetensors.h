#pragma once

#include "descramble/core/language.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/core/files.h"

namespace [[gnu::visibility("default")]] descramble {

/// Name → tensor, sorted, so that equal content gives equal bytes.
using NamedTensors = std::map<std::string, at::Tensor>;

/// Writes the safetensors format (8-byte little-endian header length, JSON header, raw data).
/// Dtypes: F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL.
/// @throws Error for another dtype, Failure when writing fails
void save_safetensors(const std::filesystem::path& file, const NamedTensors& tensors,
                      const std::map<std::string, std::string>& metadata = {});

/// A tensor whose bytes come piece by piece, for data that do not fit into memory.
struct StreamedTensor {
  std::string name{};                               ///< the key in the file
  at::ScalarType dtype = at::kFloat;                ///< one of the dtypes that the format has
  std::vector<std::int64_t> shape{};                ///< sizes; empty: one number
  std::function<void(const PutBytes& put)> fill{};  ///< puts exactly the bytes of the shape
};
/// The same, with the tensors in the order of the list. @throws Failure also for a tensor that puts
/// another number of bytes
void save_safetensors(const std::filesystem::path& file, const std::vector<StreamedTensor>& tensors,
                      const std::map<std::string, std::string>& metadata = {});

/// Reads the format back, and checks every length and offset against the file.
/// @throws Error naming file, tensor, expected and found
NamedTensors load_safetensors(const std::filesystem::path& file);

}  // namespace descramble
