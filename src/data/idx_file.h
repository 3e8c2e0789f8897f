#pragma once

#include <filesystem>

#include <ATen/core/Tensor.h>

namespace descramble {

/// Reads an IDX file of unsigned bytes (two zero bytes, the type 0x08, the number of dimensions,
/// each dimension as a big-endian 32-bit integer, the data), gzipped or not. Source: Y. LeCun, C.
/// Cortes, C. Burges, "The MNIST database of handwritten digits".
/// @returns uint8, at least one sample
/// @throws Error naming the file for anything else: another magic, too few or too many bytes, a
///         damaged gzip stream, an empty dimension
at::Tensor read_idx(const std::filesystem::path& file);

/// Writes a uint8 tensor as an IDX file, not gzipped. @throws Failure
void write_idx_file(const at::Tensor& values, const std::filesystem::path& file);

}  // namespace descramble
