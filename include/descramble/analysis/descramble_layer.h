#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "descramble/analysis/insertion.h"
#include "descramble/analysis/subject.h"
#include "descramble/analysis/tap_moments.h"
#include "descramble/core/progress.h"
#include "descramble/objective/choice.h"
#include "descramble/solver/choice.h"

namespace [[gnu::visibility("default")]] descramble {

/// Which layers are descrambled, and how.
struct LayerOptions {
  std::vector<std::string> taps{};           ///< each rotated on its own: names or globs
  Position position = Position::after;       ///< before or after the taps
  std::optional<Axis> axis{};                ///< absent: the default of each tap
  RowSelection rows{};                       ///< rows that count
  ObjectiveChoice objective = smoothness();  ///< what is minimised, or maximised
  SolverChoice solver{};                     ///< absent: the best known for the objective
  Split data = Split::train;                 ///< the source of the values
};

/// A figure of the layer before (P = I) and after the rotation that was found.
struct BeforeAfter {
  double before = 0;  ///< the figure at P = I
  double after = 0;   ///< the figure at the rotation that was found
};

/// A layer in its rotated basis. Values are in the objective's sense: −f if it is maximised.
struct LayerDescrambling {
  RotatedTap rotated{};  ///< the tap and its rotation
  /// Moments of the values from which the rotation was found; empty if none were used.
  Moments moments{};
  bool maximised = false;                 ///< whether the quantity of interest is −f
  BeforeAfter value{};                    ///< the objective, on the data that it was made from
  std::optional<double> optimum{};        ///< the best value of any rotation, if it is known
  std::optional<double> bound{};          ///< no rotation passes it; set if there is no optimum
  std::optional<BeforeAfter> held_out{};  ///< the objective on the other source, if the two differ
  Solution solution{};                    ///< what the solver did
  Certificate certificate{};              ///< measured with this pair alone inserted
  std::vector<std::string> warnings{};    ///< what a reader should know, one sentence each
};

/// Finds the best rotation of each layer for the objective. Certifies that the network computes the
/// same with the rotation and its inverse inserted.
///
///     auto found = descramble::descramble_layers(subject, {.taps = {"fc1"}});
///     descramble::export_model(model,
///     {descramble::edit_of(found[0].rotated)}).model.save("out.pt");
///
/// @source Amey, Keeley, Choudhury, Kuprov, PNAS 118 (2021), "descrambler groups".
/// @throws Error with the tap for values or weights that do not suit the objective or the solver
std::vector<LayerDescrambling> descramble_layers(const Subject& subject,
                                                 const LayerOptions& options,
                                                 Progress& progress = Progress::none());

}  // namespace descramble
