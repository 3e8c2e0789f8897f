#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "descramble/plot/strips.h"

namespace [[gnu::visibility("default")]] descramble {

/// One curve. A point with a non-finite coordinate is a gap.
struct Series {
  std::string label{};         ///< the name in the legend; empty: none
  std::vector<double> x{};     ///< abscissae, in the order in which they are joined
  std::vector<double> y{};     ///< ordinates, as many
  std::vector<double> low{};   ///< a band around the curve, from `low` to `high`; both or neither
  std::vector<double> high{};  ///< the upper end of the band
  bool steps = false;   ///< constant from each x to the next, instead of joined by straight lines
  bool points = false;  ///< markers alone: the order of the x has no meaning
  /// Index of the colour and of the dash; absent: by the place among the series. Curves that belong
  /// together share one of the two.
  std::optional<std::size_t> colour{};
  std::optional<std::size_t> dash{};  ///< index of the dash, as for the colour
};

/// A horizontal line across the figure: a bound, a baseline.
struct ReferenceLine {
  std::string label{};  ///< the name in the legend
  double y = 0;         ///< its height, in the unit of the y axis
};

/// Curves over one pair of axes.
struct Figure {
  std::string title{};                 ///< the text above the axes
  std::string x_title{};               ///< the text below the x axis: "number ablated"
  std::string y_title{};               ///< the text beside the y axis
  std::vector<std::string> y_names{};  ///< names of y = 0, 1, … from the top, instead of numbers
  bool log_x = false;                  ///< logarithmic; abscissae are > 0
  bool log_y = false;                  ///< logarithmic; ordinates are > 0
  /// The range of the y axis; absent: the range of the curves.
  std::optional<std::pair<double, double>> y_range{};
  std::vector<Series> series{};             ///< the curves, in the order of the legend
  std::vector<ReferenceLine> references{};  ///< lines that are drawn behind the curves
};

/// A matrix as a picture: one square for each entry, row 0 on top.
struct Picture {
  std::string title{};           ///< the text above the squares
  std::string x_title{};         ///< the meaning of the columns
  std::string y_title{};         ///< the meaning of the rows
  std::string label{};           ///< the meaning of the colours
  std::size_t rows = 0;          ///< number of rows
  std::size_t columns = 0;       ///< number of columns
  std::vector<double> values{};  ///< row by row, finite
  /// Colours diverge from white at zero, and the scale is the same on both sides (after vik of
  /// Crameri, Nature Communications 11 (2020) 5444, which colour-blind people can read).
  bool centred = false;
  /// Physical values of the first and the last column and row; absent: their numbers.
  std::optional<std::pair<double, double>> x_range{};
  std::optional<std::pair<double, double>> y_range{};  ///< the same for the rows
};

/// Pictures side by side, with one scale of colours for all of them.
struct Panels {
  std::vector<Picture> pictures{};  ///< the pictures, from left to right
};

/// Means over square blocks of neighbouring entries, so that no side has more than `most` entries;
/// the picture itself if none has. Blocks at the end may be smaller.
Picture with_at_most(const Picture& picture, std::size_t most);

/// A rectangle in a drawing, as fractions of its width and height from the upper left corner.
struct Place {
  double left = 0;    ///< distance of the left side from the left edge
  double top = 0;     ///< distance of the upper side from the upper edge
  double right = 1;   ///< distance of the right side from the left edge
  double bottom = 1;  ///< distance of the lower side from the upper edge
};

/// Where each picture's squares lie in the drawing of the panels.
std::vector<Place> places_of(const Panels& panels);

/// Anything that can be drawn.
using Drawing = std::variant<Figure, Picture, Panels, Strips>;

/// Whether figures can be drawn: gnuplot (Debian: gnuplot-nox) is on the PATH.
bool can_draw();

/// Draws the figure with gnuplot. Curves differ in colour, dash and marker. The colours are those
/// of Okabe and Ito, which colour-blind people can distinguish. The legend is below the axes. The
/// same figure and gnuplot give the same bytes. Texts are printed unchanged.
/// @throws Error for a series whose lists differ in length, a figure without a finite point, a
///         value <= 0 on a logarithmic axis
/// @throws Failure when there is no gnuplot, when it fails (with its message), when writing fails
void write_svg(const Figure& figure, const std::filesystem::path& file);

/// The same for a picture. Colours go from dark to light and keep this order in black and white. A
/// matrix with more than 384 rows or columns (192 beside others) is drawn with means of
/// neighbouring entries.
/// @throws Error for a list of another length than rows x columns, or a value that is not finite
void write_svg(const Picture& picture, const std::filesystem::path& file);
/// The same for pictures side by side.
/// @throws Error as for each of the pictures, and for no picture
void write_svg(const Panels& panels, const std::filesystem::path& file);
/// The text of the same SVG.
std::string svg_text(const Panels& panels);

}  // namespace descramble
