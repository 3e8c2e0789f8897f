#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace descramble {

/// One curve. A point with a non-finite coordinate is a gap.
struct Series {
  std::string label{};  ///< in the legend; empty: none
  std::vector<double> x{};
  std::vector<double> y{};
  std::vector<double> low{};  ///< a band around the curve, from `low` to `high`; both or neither
  std::vector<double> high{};
  bool steps = false;  ///< constant from each x to the next, instead of joined by straight lines
  /// Which of the colours and dashes; absent: by the place among the series. Curves that belong
  /// together share one of the two.
  std::optional<std::size_t> colour{};
  std::optional<std::size_t> dash{};
};

/// A horizontal line across the figure: a bound, a baseline.
struct ReferenceLine {
  std::string label{};
  double y = 0;
};

/// Curves over one pair of axes.
struct Figure {
  std::string title{};
  std::string x_title{};
  std::string y_title{};
  bool log_x = false;
  bool log_y = false;
  /// The range of the y axis; absent: what the curves need.
  std::optional<std::pair<double, double>> y_range{};
  std::vector<Series> series{};
  std::vector<ReferenceLine> references{};
};

/// A matrix as a picture: one square for each entry, row 0 on top.
struct Picture {
  std::string title{};
  std::string x_title{};  ///< of the columns
  std::string y_title{};  ///< of the rows
  std::string label{};    ///< of the colours
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<double> values{};  ///< row by row, finite
};

/// Whether figures can be drawn here: gnuplot (Debian: gnuplot-nox) is on the PATH.
bool can_draw();

/// Draws the figure with gnuplot. Curves differ in colour (Okabe and Ito's, which the colour-blind
/// tell apart), dash and marker; the legend stands below the axes. Same figure and gnuplot, same
/// bytes. Texts are taken as they are.
/// @throws Error for a series whose lists differ in length, a figure without a finite point, a
///         value <= 0 on a logarithmic axis
/// @throws Failure when there is no gnuplot, when it fails (with its message), when writing fails
void write_svg(const Figure& figure, const std::filesystem::path& file);

/// The same for a picture; colours from dark to light, in one order also in black and white.
/// Matrices with more than 512 rows or columns are drawn by the means of neighbouring entries.
/// @throws Error for a list of another length than rows x columns, or a value that is not finite
void write_svg(const Picture& picture, const std::filesystem::path& file);

}  // namespace descramble
