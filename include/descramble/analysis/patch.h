#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/analysis/score.h"
#include "descramble/analysis/subject.h"
#include "descramble/core/progress.h"

namespace [[gnu::visibility("default")]] descramble {

/// Values that another run had at a tap.
struct Donor {
  std::string name{};   ///< the name of the tensor, for errors
  at::Tensor values{};  ///< [n, …], n at least 1: row i replaces the value of sample i
  at::Tensor labels{};  ///< labels of the same samples; undefined if there are none
};

/// Which values are replaced by which.
struct PatchOptions {
  std::string tap{};  ///< the tap whose values are replaced
  Donor donor{};      ///< where the values come from
  /// Only these units along the axis, counted from 0; absent: all.
  std::optional<std::vector<std::int64_t>> units{};
  /// The axis that `units` count along; absent: the default of the tap.
  std::optional<Axis> axis{};
  Split data = Split::test;  ///< the source whose samples are run
};

/// The outputs with the values of a tap replaced.
struct Patched {
  std::int64_t count = 0;               ///< samples
  Score before{};                       ///< the score of the untouched network
  Score after{};                        ///< the score with the values replaced
  std::optional<Score> by_donor{};      ///< the outputs after, scored by the donor's labels
  std::optional<std::int64_t> same{};   ///< number of unchanged predictions; absent: no classes
  at::Tensor logits_before{};           ///< logits of the untouched network
  at::Tensor logits_after{};            ///< logits with the values replaced
  std::vector<std::string> warnings{};  ///< what a reader should know, one sentence each

  /// The share of unchanged predictions, of data with classes.
  double agreement() const { return static_cast<double>(*same) / static_cast<double>(count); }
};

/// Activation patching: f(x | h_tap(xᵢ) := cᵢ) for the rows cᵢ of a donor, i = 1 … n.
/// @source Vig et al., "Investigating Gender Bias in Language Models Using Causal Mediation
/// Analysis", NeurIPS 2020; Meng et al., "Locating and Editing Factual Associations in GPT",
/// NeurIPS 2022, section 2.1.
/// @throws Error for data without labels, a donor that does not fit, a unit that does not exist
Patched patch(const Subject& subject, const PatchOptions& options,
              Progress& progress = Progress::none());

}  // namespace descramble
