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

/// Which samples of a source a measurement takes: `count` of `size`, evenly spaced, and of those
/// the `held` share, evenly spaced again, that is kept for scoring.
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

/// Says how many samples weigh nothing since no sampled position of them counts; empty: none.
std::string uncounted_warning(const JacobianStack& stack);

/// A stack under the subject's ceiling, one of `sharers` that have it together; each chunk moves
/// the progress on and may be the last.
JacobianStack::Options stack_options(const Subject& subject, const Source& source,
                                     Progress& progress, std::int64_t sharers = 1);

/// What an objective over a chain of taps needs.
struct ChainData {
  JacobianChain used{};
  std::optional<JacobianChain> held_out{};
  std::vector<std::shared_ptr<const LayerJacobian>> layers{};
};

/// `learned`: for each tap of the chain. @throws Error with the tap
ChainData gather_chain(const Subject& subject, const ChainOptions& options,
                       const std::vector<bool>& learned, Progress& progress);

}  // namespace descramble
