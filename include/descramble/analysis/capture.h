#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/analysis/subject.h"
#include "descramble/core/progress.h"

namespace descramble {

struct CaptureOptions {
  std::vector<std::string> taps{};  ///< names or globs
  std::int64_t limit = 256;         ///< number of samples, from the first on
  Split data = Split::train;
};

/// Values at taps, in the model's own dtype.
struct Captured {
  struct Tap {
    std::string name{};
    at::Tensor values{};  ///< [samples, …], on the CPU
  };
  std::vector<Tap> taps{};
  at::Tensor labels{};     ///< undefined if the data have none
  std::int64_t count = 0;  ///< samples
  std::vector<std::string> warnings{};
};

/// @throws Error for values beyond the memory ceiling, quantised values, and a tap whose shape
/// changes from batch to batch
Captured capture(const Subject& subject, const CaptureOptions& options,
                 Progress& progress = Progress::none());

}  // namespace descramble
