#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "descramble/analysis/descramble_chain.h"
#include "descramble/analysis/subject.h"
#include "descramble/core/progress.h"
#include "descramble/jacobian/jacobian_stack.h"

namespace descramble {

/// Which samples of a source a measurement takes: `count` of `size`, evenly spaced. The share
/// `held` of them, evenly spaced again, is kept for scoring.
struct SampleChoice {
  std::vector<std::int64_t> used{};
  std::vector<std::int64_t> held_out{};
};
SampleChoice choose_samples(std::int64_t size, std::int64_t count, double held);

/// Two taps, and what of their values is looked at.
struct LayerEnds {
  std::string from{};
  std::string to{};
  std::optional<Axis> axis{};  ///< of both; absent: the default of each
  RowSelection rows{};
  std::int64_t positions = 8;
};

/// Jacobians between two taps, with errors that name both. Positions are drawn from those that
/// count in samples `indices` of `source`.
std::shared_ptr<const LayerJacobian> open_layer(const Subject& subject, const LayerEnds& ends,
                                                const Source& source,
                                                const std::vector<std::int64_t>& indices);

/// A warning with the number of samples that have no weight because no sampled position of them
/// counts; empty: there are none.
std::string uncounted_warning(const JacobianStack& stack);

/// A stack under the subject's ceiling, which `sharers` stacks share. Each chunk advances the
/// progress, and an interrupt may end the work after it.
JacobianStack::Options stack_options(const Subject& subject, const Source& source,
                                     Progress& progress, std::int64_t sharers = 1);

/// The data that an objective over a chain of taps needs.
struct ChainData {
  JacobianChain used{};
  std::optional<JacobianChain> held_out{};
  std::vector<std::shared_ptr<const LayerJacobian>> layers{};
};

/// `learned`: for each tap of the chain. @throws Error with the tap
ChainData gather_chain(const Subject& subject, const ChainOptions& options,
                       const std::vector<bool>& learned, Progress& progress);

}  // namespace descramble
