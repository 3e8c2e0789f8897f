#pragma once

#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include "descramble/plot/raster.h"

namespace [[gnu::visibility("default")]] descramble {

/// Samples in one column of a strip: images side by side in one raster, curves over one pair of
/// axes, or lines of text.
using StripCell = std::variant<Raster, std::vector<std::vector<double>>, std::vector<std::string>>;

/// One direction: columns from left to right, with a caption below each.
struct Strip {
  std::string title{};                  ///< the name of the direction
  std::vector<StripCell> cells{};       ///< the columns, from left to right
  std::vector<std::string> captions{};  ///< the texts below the columns, one each
  std::vector<std::string> words{};     ///< what each column shows, for those who do not see it
};

/// Strips below each other.
struct Strips {
  std::string title{};          ///< the text above the strips
  std::string note{};           ///< the text below the title: what the captions say
  std::vector<Strip> strips{};  ///< the strips, from top to bottom
};

/// Where a column of a strip lies in the drawing, as fractions of its width and height from the
/// upper left corner.
struct StripPlaces {
  std::vector<double> tops{};     ///< the upper end of each strip
  std::vector<double> bottoms{};  ///< the lower end of each strip
  std::vector<double> lefts{};    ///< the left end of each column
  double width = 0;               ///< the width of a column
};
/// Where each column of the strips lies in their drawing.
StripPlaces places_of(const Strips& strips);

/// Draws the strips as SVG. Curves of one picture have one range of values.
/// @throws Failure when writing fails
void write_svg(const Strips& strips, const std::filesystem::path& file);

}  // namespace descramble
