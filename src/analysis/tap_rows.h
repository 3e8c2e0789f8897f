#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "descramble/analysis/tap_moments.h"

namespace descramble {

/// The rows of a tap's value in one batch that an analysis uses.
struct TapRows {
  at::Tensor rows{};  ///< [n, d], in the value's own dtype and on its device
  /// Of each row its number among all rows of the value, [n]; undefined: these are all rows.
  at::Tensor numbers{};
  std::int64_t first = 0;    ///< number of the batch's first sample
  std::int64_t samples = 0;  ///< of the batch
};

/// What is done with rows of tap `number`, which lie in `space`.
using TakeRows =
    std::function<void(std::size_t number, const TapSpace& space, const TapRows& seen)>;

/// One pass over the data for all taps together. @throws Error as measure_taps does
void read_rows(const Subject& subject, const Source& source, const std::vector<std::string>& taps,
               std::optional<Axis> axis, const RowUse& use, const std::string& label,
               const TakeRows& take, Progress& progress);

}  // namespace descramble
