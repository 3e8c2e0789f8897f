#pragma once

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "descramble/plot/raster.h"

namespace descramble {

/// Samples in one column of a strip: images side by side in one raster, curves over one pair of
/// axes, or lines of text.
using StripCell = std::variant<Raster, std::vector<std::vector<double>>, std::vector<std::string>>;

/// One direction: columns from left to right, with a caption below each.
struct Strip {
  std::string title{};                  ///< to the left of the columns, or above them
  std::vector<StripCell> cells{};       ///< from left to right
  std::vector<std::string> captions{};  ///< below the cells, as many
  std::vector<std::string> words{};     ///< what each column shows, for those who do not see it
};

/// Strips below each other.
struct Strips {
  std::string title{};          ///< above the strips
  std::string note{};           ///< below the title: what the captions say
  std::vector<Strip> strips{};  ///< from top to bottom
};

/// Where a column of a strip lies in the drawing, as fractions of its width and height from the
/// upper left corner.
struct StripPlaces {
  std::vector<double> tops{};     ///< of each strip
  std::vector<double> bottoms{};  ///< of each strip
  std::vector<double> lefts{};    ///< of each column
  double width = 0;               ///< of a column
};
/// Where each column of the strips lies in their drawing.
StripPlaces places_of(const Strips& strips);

/// Draws the strips as SVG. Curves of one picture have one range of values.
/// @throws Failure when writing fails
void write_svg(const Strips& strips, const std::filesystem::path& file);

}  // namespace descramble
