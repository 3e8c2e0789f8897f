#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/analysis/subject.h"
#include "descramble/analysis/tap_moments.h"
#include "descramble/basis/basis.h"
#include "descramble/basis/choice.h"
#include "descramble/core/progress.h"
#include "descramble/taps/receptive_field.h"

namespace [[gnu::visibility("default")]] descramble {

/// What the lines along directions run through.
enum class Through {
  mean,  ///< c is the mean of the values
  zero   ///< c is 0
};
/// How near a value a is to a point of a line.
enum class Nearness {
  space,     ///< ‖a − c − s q‖, in the whole space
  direction  ///< |qᵀ(a − c) − s|, along the direction only
};
/// Which samples may stand side by side at one point.
enum class Distinct {
  image,    ///< one position of each image
  position  ///< any positions
};
/// Where the points of a line lie between the smallest and the largest projection seen.
enum class Spacing {
  even,    ///< evenly spaced from end to end
  uniform  ///< drawn uniformly, from the seed
};

/// Which directions are shown, and in which data.
struct ExploreOptions {
  std::vector<std::string> taps{};                   ///< names or globs
  std::vector<BasisChoice> bases{pca(), neurons()};  ///< whose directions are shown
  std::int64_t directions = 5;                       ///< the first ones, by `order`
  std::vector<std::int64_t> components{};            ///< these instead, by their numbers from 0
  Order order = Order::descending;  ///< the order of directions, by the variance that they explain
  std::int64_t points = 7;          ///< points of each line
  std::int64_t patches = 6;         ///< nearest samples at each point
  Spacing spacing = Spacing::even;  ///< the places of the points between the ends
  Through through = Through::mean;  ///< c, which the lines run through
  Nearness nearness = Nearness::space;   ///< how the nearest are found
  Distinct distinct = Distinct::image;   ///< which samples may stand side by side
  Position position = Position::after;   ///< before or after the taps
  std::optional<Axis> axis{};            ///< absent: the default of each tap
  RowSelection rows{};                   ///< rows that count
  bool one_position = false;             ///< statistics from one position of each sample
  Split data = Split::test;              ///< the source that is searched
  Split statistics_data = Split::train;  ///< the source of mean, variances and principal components
  /// The side of a picture of a patch, in pixels, at most: a smaller field is enlarged by a whole
  /// number.
  std::int64_t size = 48;
};

/// A position of a sample whose value is near a point of a line.
struct Neighbour {
  std::int64_t sample = 0;    ///< its number in the source
  std::int64_t position = 0;  ///< among those of the sample, row by row
  double projection = 0;      ///< z = qᵀ(a − c)
  double distance = 0;        ///< the distance that `nearness` names
  double off_line = 0;        ///< ‖a − c − z q‖
};

/// A point c + s q of a line and the values that are nearest to it.
struct ExploredPoint {
  double place = 0;                     ///< s
  std::vector<Neighbour> neighbours{};  ///< the nearest first; then by sample and position
};

/// A direction q and the points along it.
struct ExploredDirection {
  std::int64_t component = 0;           ///< its number in the basis, from 0
  double explained = 0;                 ///< share of the variance
  double low = 0;                       ///< the smallest projection that was seen
  double high = 0;                      ///< the largest
  std::vector<ExploredPoint> points{};  ///< the points, from low to high
};

/// The directions of one basis.
struct ExploredBasis {
  std::string label{};                          ///< the label of the choice: "pca", "neurons"
  std::vector<ExploredDirection> directions{};  ///< the directions, in the order that was asked for
  /// What the neighbours' positions see in the first input, by direction, point and neighbour.
  /// Images: bytes [D, S, k, C, side, side], grey where the field lies outside of the image. Other
  /// inputs, whole: [D, S, k, …], floating-point or integers. Where there are fewer neighbours, 0.
  at::Tensor shown{};
};

/// What was found at one tap.
struct ExploredTap {
  TapSpace space{};                     ///< the space of the tap
  ReceptiveField field{};               ///< what each position sees of the first input
  std::vector<ExploredBasis> bases{};   ///< the bases, in the order of the choices
  std::vector<std::string> warnings{};  ///< what a reader should know, one sentence each
};

/// What the directions of some layers show.
struct Exploration {
  std::vector<ExploredTap> taps{};  ///< the taps, in the model's order
  bool images = false;              ///< the first input is an image; else it is shown as it is
  std::vector<InputFile> files{};   ///< files that bases were read from
};

/// Shows what directions of a layer mean: points along each, and the samples whose values are
/// nearest to each point, among all positions of all samples. With an orthonormal direction q,
/// ‖a − c − s q‖² = (r − z²) + (z − s)², r = ‖a − c‖², z = qᵀ(a − c): one number for each value and
/// direction. It takes three passes over the data: moments, the ends of the projections, the
/// search. Memory does not grow with the number of samples. The numbers of points and patches are
/// not published; the defaults are this library's own.
/// @source Dey, Taylor, Wong, Tripp, Taylor, "Neuron-based explanations of neural networks
/// sacrifice completeness and interpretability", TMLR.
/// @throws Error as its parts do; for a basis with fewer directions than asked
Exploration explore(const Subject& subject, const ExploreOptions& options,
                    Progress& progress = Progress::none());

}  // namespace descramble
