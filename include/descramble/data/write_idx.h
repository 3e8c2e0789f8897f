#pragma once

#include <filesystem>

#include "descramble/data/data_set.h"

namespace [[gnu::visibility("default")]] descramble {

/// Writes a labelled data set of one input, N×1×H×W in [0, 1], as two IDX files of unsigned bytes
/// (not gzipped): N×H×W of round(255·value), and N labels. The kind `idx` reads them back.
///
///     write_idx(*source.data, folder / "train-images-idx3-ubyte", folder /
///     "train-labels-idx1-ubyte");
///
/// @throws Error for data of another shape or range, or labels outside 0 … 255; Failure when
/// writing fails
void write_idx(const DataSet& data, const std::filesystem::path& images,
               const std::filesystem::path& labels);

}  // namespace descramble
