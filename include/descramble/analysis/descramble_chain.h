#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "descramble/analysis/descramble_layer.h"
#include "descramble/analysis/insertion.h"
#include "descramble/analysis/subject.h"
#include "descramble/core/progress.h"
#include "descramble/solver/choice.h"

namespace [[gnu::visibility("default")]] descramble {

/// Which chain is descrambled, and from which data.
struct ChainOptions {
  std::vector<std::string> taps{};   ///< the chain: two or more taps, from the input side on
  std::vector<std::string> learn{};  ///< the taps with a learned rotation; empty: all but the last
  std::int64_t samples = 2048;       ///< inputs for the Jacobians, spread evenly over the data
  double held_out = 0.25;            ///< the share of these inputs that is only scored
  std::int64_t positions = 8;        ///< sampled output positions, if a tap has positions
  std::optional<Axis> axis{};        ///< absent: the default of each tap
  RowSelection rows{};               ///< rows that count
  SolverChoice solver{};             ///< absent: the best known
  Split data = Split::train;         ///< the source of the samples
};

/// How the Jacobians of one layer of a chain were computed.
struct ChainLayer {
  std::string from{};          ///< the tap on its input side
  std::string to{};            ///< the tap on its output side
  std::string route{};         ///< the route of LayerJacobian, or "collapsed"
  bool kept = false;           ///< computed once and kept; false: computed again each time
  std::int64_t positions = 1;  ///< sampled output positions; 1 without positions
  std::string obstacle{};      ///< the reason why the route is not masked_product; empty: it is
  std::vector<std::string> constants{};  ///< see LayerJacobian::constants
};

/// A rotation of the chain, and the difference that it causes when it alone is inserted.
struct ChainTap {
  RotatedTap rotated{};  ///< the tap and its rotation
  double inserted = 0;   ///< max|f − f′| / max|f|
};

/// Rotations of several taps that were found together.
struct ChainDescrambling {
  std::vector<std::string> taps{};        ///< all taps of the chain
  std::vector<ChainTap> learned{};        ///< the learned rotations, in the order of the chain
  std::vector<ChainLayer> layers{};       ///< the layers, in the order of the chain
  std::int64_t samples = 0;               ///< samples from which the rotations were found
  BeforeAfter value{};                    ///< Σ over layers of mean_x Σ |P_{i+1} J_i(x) P_iᵀ|
  double bound = 0;                       ///< no rotation has a smaller value
  BeforeAfter sparsity{};                 ///< value / (√(numel)·‖J‖_F)
  std::int64_t held_out_samples = 0;      ///< samples that were only scored
  std::optional<BeforeAfter> held_out{};  ///< the value on those samples; absent if there are none
  Solution solution{};                    ///< what the solver did
  Certificate certificate{};              ///< measured with all pairs inserted
  std::vector<std::string> warnings{};    ///< what a reader should know, one sentence each
};

/// Finds rotations of the taps of a chain that make the Jacobians between them sparse: each
/// quantity then depends on few others (see JacobianL1).
///
///     auto found = descramble::descramble_chain(
///         subject, {.taps = {"act1", "act2"}, .learn = {"act1"}});
///
/// @source Baker, "Taking the parameters which seem to matter and rotating them until they don't"
/// (2022).
/// @throws Error with the tap for taps without a path between them, or Jacobians that do not exist
ChainDescrambling descramble_chain(const Subject& subject, const ChainOptions& options,
                                   Progress& progress = Progress::none());

}  // namespace descramble
