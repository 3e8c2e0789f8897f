#pragma once

#include <optional>
#include <string>

#include "descramble/analysis/patch.h"
#include "descramble/core/paths.h"
#include "descramble/data/data_set.h"

namespace descramble {

/// The values that another run captured at a tap, and their file.
struct DonorFile {
  InputFile file{};
  Donor donor{};
};

/// Reads them from `capture`, a result folder or a safetensors file: the tensor of that name, or
/// (null) the only one named [steps.i.]TAP.values. Labels are steps.i.labels of the same i.
/// @throws Error listing the candidates if there is none, or more than one
DonorFile read_donor(const std::string& capture, const std::optional<std::string>& tensor,
                     const std::string& tap, const PathSearch& paths);

}  // namespace descramble
