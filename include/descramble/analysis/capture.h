#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/analysis/subject.h"
#include "descramble/core/progress.h"

namespace [[gnu::visibility("default")]] descramble {

/// What is captured.
struct CaptureOptions {
  std::vector<std::string> taps{};  ///< names or globs
  std::int64_t limit = 256;         ///< number of samples, from the first on
  Split data = Split::train;        ///< the source that is run
};

/// Values at taps, in the model's own dtype.
struct Captured {
  /// The values of one tap.
  struct Tap {
    std::string name{};   ///< the name of the tap
    at::Tensor values{};  ///< [samples, …], on the CPU
  };
  std::vector<Tap> taps{};              ///< the taps, in the model's order
  at::Tensor labels{};                  ///< undefined if the data have none
  std::int64_t count = 0;               ///< samples
  std::vector<std::string> warnings{};  ///< what a reader should know, one sentence each
};

/// Runs the first samples and keeps the values at the taps.
/// @throws Error for values beyond the memory ceiling, quantised values, and a tap whose shape
/// changes from batch to batch
Captured capture(const Subject& subject, const CaptureOptions& options,
                 Progress& progress = Progress::none());

}  // namespace descramble
