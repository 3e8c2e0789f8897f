#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "descramble/core/progress.h"
#include "descramble/jacobian/jacobian_stack.h"
#include "experiment/step.h"

namespace descramble {

/// Which samples of a source a measurement takes: `count` of `size`, evenly spaced, and of those
/// the `held` share, evenly spaced again, that is kept for scoring.
struct SampleChoice {
  std::vector<std::int64_t> used{};
  std::vector<std::int64_t> held_out{};
};
SampleChoice choose_samples(std::int64_t size, std::int64_t count, double held);

/// What an objective over a chain of taps needs.
struct ChainData {
  JacobianChain used{};
  std::optional<JacobianChain> held_out{};
  std::vector<std::shared_ptr<const LayerJacobian>> layers{};
};

/// `resolved`: a step with an objective of kind jacobian_l1. @throws Error with the tap or the
/// pointer
ChainData gather_chain(const Workspace& workspace, const Source& source,
                       const nlohmann::json& resolved, Progress& progress);

/// {from, to, route ("collapsed", too), kept, positions, obstacle, constants} of each layer, as
/// results have it.
nlohmann::json chain_json(const ChainData& chain);

/// Jacobians between two taps along the "axis" of a resolved step, of its "rows"; with errors that
/// name both taps.
/// Positions are drawn from those that count in samples `indices` of `source`.
std::shared_ptr<const LayerJacobian> open_layer(const Workspace& workspace, const std::string& from,
                                                const std::string& to,
                                                const nlohmann::json& resolved,
                                                std::int64_t positions, const Source& source,
                                                const std::vector<std::int64_t>& indices);

/// Says how many samples weigh nothing since no sampled position of them counts; empty: none.
std::string uncounted_warning(const JacobianStack& stack);

/// A stack under the run's ceiling, one of `sharers` that have it together; each chunk moves the
/// progress on and may be the last.
JacobianStack::Options stack_options(const Workspace& workspace, const Source& source,
                                     Progress& progress, std::int64_t sharers = 1);

/// The step `descramble` for objectives over a chain of taps: all rotations are found together.
StepResult descramble_chain(const nlohmann::json& resolved, const Workspace& workspace,
                            Progress& progress);

}  // namespace descramble
