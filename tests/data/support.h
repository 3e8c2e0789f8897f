#pragma once

#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "descramble/core/error.h"
#include "descramble/data/kinds.h"
#include "temporary_folder.h"
#include "throws.h"

namespace descramble::test {

/// Resolves and opens a source, as a config's "/data" would be.
Source open(const nlohmann::json& value, const DataContext& context = {});

/// What holds for a data set of any kind: the same samples in any order, slices, one by one; labels
/// of int64 (classes) or floating point (targets) where it has them; an index outside is an Error.
void expect_invariants(const DataSet& data);

bool bit_equal(const at::Tensor& a, const at::Tensor& b);  ///< same dtype, shape and bits
double max_difference(const at::Tensor& a, const at::Tensor& b);

void write(const std::filesystem::path& file, const std::string& bytes);
void write_gzipped(const std::filesystem::path& file, const std::string& bytes);

/// A header and the bytes behind it.
std::string idx(const std::vector<std::uint32_t>& dimensions, const std::string& data,
                unsigned char type = 0x08);

/// Says why a test on real data is not run.
std::string without_data(const std::string& wanted);

}  // namespace descramble::test
