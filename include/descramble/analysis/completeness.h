#pragma once

#include <optional>
#include <string>
#include <vector>

#include "descramble/analysis/curve.h"
#include "descramble/analysis/grid.h"
#include "descramble/analysis/subject.h"
#include "descramble/analysis/tap_moments.h"
#include "descramble/basis/basis.h"
#include "descramble/basis/choice.h"
#include "descramble/core/progress.h"

namespace [[gnu::visibility("default")]] descramble {

/// What outputs are compared with.
enum class Reference {
  labels,           ///< the classes of the data
  targets,          ///< the floating-point targets of the data
  untouched_class,  ///< the class that the untouched model gives
  untouched_output  ///< the output of the untouched model
};
/// "labels", "targets", "untouched_class", "untouched_output".
std::string reference_name(Reference reference);

/// What an ablated component becomes.
enum class Ablate {
  mean,  ///< its mean over the data of the statistics
  zero   ///< 0
};

/// What is ablated, and how it is scored.
struct CompletenessOptions {
  std::vector<std::string> taps{};                   ///< each ablated on its own: names or globs
  std::vector<BasisChoice> bases{pca(), neurons()};  ///< their directions are ablated
  std::vector<Order> orders{Order::descending,
                            Order::ascending};  ///< each basis is ablated in each order
  Ablate ablate = Ablate::mean;                 ///< what an ablated component becomes
  Grid grid{};                                  ///< the counts that are measured
  /// untouched_class or untouched_output; absent: the labels if the data have any, else the
  /// untouched output.
  std::optional<Reference> reference{};
  Position position = Position::after;  ///< before or after the taps
  std::optional<Axis> axis{};  ///< where the directions lie; absent: the default of each tap
  RowSelection rows{};         ///< which rows count and are ablated
  bool one_position = false;   ///< statistics from one position of each sample, drawn at random
  Split data = Split::test;    ///< the source that is scored
  Split statistics_data = Split::train;  ///< the source of mean, variances and principal components
};

/// A basis that is ablated: one draw of one of the chosen bases.
struct AblatedBasis {
  std::string label{};     ///< the label of the choice: "pca", "neurons"
  std::size_t draw = 0;    ///< number of the draw, from 0
  std::int64_t size = 0;   ///< directions
  at::Tensor explained{};  ///< share of the variance of each component, [k]
};

/// The curves of one tap.
struct TapCompleteness {
  TapSpace space{};                     ///< the space of the tap in the data of the statistics
  std::int64_t rows = 0;                ///< number of rows in the statistics
  std::vector<AblatedBasis> bases{};    ///< the bases, in the order of the choices
  std::vector<Curve> curves{};          ///< bases × orders
  std::vector<std::string> warnings{};  ///< what a reader should know, one sentence each
  /// Why the whole network runs for each count; empty: only the part behind the tap runs.
  std::string obstacle{};
};

/// The curves of all taps.
struct Completeness {
  std::vector<TapCompleteness> taps{};      ///< the taps, in the model's order
  Reference reference = Reference::labels;  ///< what outputs were compared with
  std::int64_t classes = 0;                 ///< logits of the model; 0 without accuracy
  std::vector<InputFile> files{};           ///< files that bases were read from
};

/// Measures how complete an explanation of a layer by few directions is: accuracy and loss as the
/// directions of a basis are ablated one after the other. The ablated value is
/// h − Σ qᵢ qᵢᵀ(h − c) over the first m directions qᵢ at every position; c is the mean (or 0).
/// @source Dey, Taylor, Wong, Tripp, Taylor, "Neuron-based explanations of neural networks
/// sacrifice completeness and interpretability", TMLR.
///
///     auto found = descramble::measure_completeness(subject, {.taps = {"fc1"}});
///
/// Moments take one pass for all taps and a basis that asks for the values one more, then one pass
/// over the data for the first counts of all taps and one for the counts that refine them. Bases
/// that do not fit under the memory ceiling together take several such passes, some at a time.
/// Memory does not grow with the number of samples, but for one bit of each curve.
/// @throws Error as its parts do, with the tap
Completeness measure_completeness(const Subject& subject, const CompletenessOptions& options,
                                  Progress& progress = Progress::none());

}  // namespace descramble
