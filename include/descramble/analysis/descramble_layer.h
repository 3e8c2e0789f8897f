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

namespace descramble {

struct LayerOptions {
  std::vector<std::string> taps{};  ///< each rotated on its own: names or globs
  Position position = Position::after;
  std::optional<Axis> axis{};  ///< absent: the default of each tap
  RowSelection rows{};
  ObjectiveChoice objective = smoothness();
  SolverChoice solver{};  ///< absent: the best known for the objective
  Split data = Split::train;
};

/// A figure of the layer as it is (P = I) and at the rotation found.
struct BeforeAfter {
  double before = 0;
  double after = 0;
};

/// A layer in its rotated basis. Values are in the objective's sense: −f where it is maximised.
struct LayerDescrambling {
  RotatedTap rotated{};
  Moments moments{};  ///< of the values that the rotation was found from; without rows: of none
  bool maximised = false;
  BeforeAfter value{};
  std::optional<double> optimum{};        ///< the best that any rotation attains, where it is known
  std::optional<double> bound{};          ///< that no rotation passes, where there is no optimum
  std::optional<BeforeAfter> held_out{};  ///< on the other source, where the two differ
  Solution solution{};
  Certificate certificate{};
  std::vector<std::string> warnings{};
};

/// Finds the rotation of each layer that is best by the objective, and certifies that the network
/// computes the same with it and its inverse inserted.
///
///     auto found = descramble::descramble_layers(subject, {.taps = {"fc1"}});
///     descramble::export_model(model,
///     {descramble::edit_of(found[0].rotated)}).model.save("out.pt");
///
/// Source: Amey, Keeley, Choudhury, Kuprov, PNAS 118 (2021), "descrambler groups".
/// @throws Error with the tap for values or weights that do not suit the objective or the solver
std::vector<LayerDescrambling> descramble_layers(const Subject& subject,
                                                 const LayerOptions& options);
std::vector<LayerDescrambling> descramble_layers(const Subject& subject,
                                                 const LayerOptions& options, Progress& progress);

}  // namespace descramble
