#include "descramble/plot/strips.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "descramble/core/files.h"
#include "descramble/core/markup.h"

namespace descramble {

namespace {

constexpr double left = 96;     // room for the titles of strips
constexpr double top = 56;      // and for the title of the picture
constexpr double cell = 132;    // width of a column
constexpr double gap = 6;       // between columns
constexpr double caption = 18;  // height of a caption
constexpr double below = 12;    // between strips
constexpr double text_line = 15;
constexpr double curves_height = 84;

std::string text_at(double x, double y, const std::string& text, const char* more = "") {
  return fmt::format("<text x='{:g}' y='{:g}'{}>{}</text>\n", x, y, more, markup(text));
}

/// The smallest and largest value of all curves.
std::pair<double, double> value_range(const Strips& strips) {
  double low = std::numeric_limits<double>::infinity();
  double high = -low;
  for (const Strip& strip : strips.strips) {
    for (const StripCell& one : strip.cells) {
      const auto* curves = std::get_if<std::vector<std::vector<double>>>(&one);
      if (curves == nullptr) continue;
      for (const std::vector<double>& curve : *curves) {
        for (const double value : curve) {
          if (!std::isfinite(value)) continue;
          low = std::min(low, value);
          high = std::max(high, value);
        }
      }
    }
  }
  return {low, high > low ? high : low + 1};
}

double height_of(const StripCell& one) {
  if (const auto* raster = std::get_if<Raster>(&one))
    return cell * static_cast<double>(raster->height) / static_cast<double>(raster->width);
  if (const auto* lines = std::get_if<std::vector<std::string>>(&one))
    return text_line * static_cast<double>(lines->size()) + 4;
  return curves_height;
}

double height_of(const Strip& strip) {
  double highest = 0;
  for (const StripCell& one : strip.cells) highest = std::max(highest, height_of(one));
  return highest;
}

std::string drawn(const Raster& raster, double x, double y) {
  return fmt::format("<image x='{:g}' y='{:g}' width='{:g}' height='{:.4g}' href='{}'/>\n", x, y,
                     cell, height_of(StripCell(raster)), data_uri(raster));
}

std::string drawn(const std::vector<std::vector<double>>& curves, double x, double y,
                  const std::pair<double, double>& range) {
  std::string text = fmt::format(
      "<rect x='{:g}' y='{:g}' width='{:g}' height='{:g}' fill='none' stroke='#cccccc'/>\n", x, y,
      cell, curves_height);
  for (const std::vector<double>& curve : curves) {
    std::string points;
    for (std::size_t i = 0; i < curve.size(); ++i) {
      if (!std::isfinite(curve[i])) continue;
      const double across =
          curve.size() < 2 ? 0.5 : static_cast<double>(i) / static_cast<double>(curve.size() - 1);
      const double up = (curve[i] - range.first) / (range.second - range.first);
      points += fmt::format("{:.1f},{:.1f} ", x + across * cell, y + (1 - up) * curves_height);
    }
    text += fmt::format(
        "<polyline points='{}' fill='none' stroke='#0072B2' stroke-opacity='0.55'/>\n", points);
  }
  return text;
}

std::string drawn(const std::vector<std::string>& lines, double x, double y) {
  std::string text = fmt::format("<svg x='{:g}' y='{:g}' width='{:g}' height='{:g}'>\n", x, y, cell,
                                 text_line * static_cast<double>(lines.size()) + 4);
  for (std::size_t i = 0; i < lines.size(); ++i)
    text += text_at(0, text_line * static_cast<double>(i + 1) - 3, lines[i], " font-size='11'");
  return text + "</svg>\n";
}

/// Sizes and places in pixels.
struct StripLayout {
  double width = 0;
  double height = top;
  std::vector<double> tops{};

  explicit StripLayout(const Strips& strips) {
    std::size_t columns = 0;
    for (const Strip& strip : strips.strips) {
      columns = std::max(columns, strip.cells.size());
      tops.push_back(height);
      height += height_of(strip) + caption + below;
    }
    width = x_of(columns) + 8;
  }
  static double x_of(std::size_t column) {
    return left + (cell + gap) * static_cast<double>(column);
  }
};

}  // namespace

StripPlaces places_of(const Strips& strips) {
  const StripLayout layout(strips);
  StripPlaces places{.width = cell / layout.width};
  std::size_t columns = 0;
  for (std::size_t i = 0; i < strips.strips.size(); ++i) {
    columns = std::max(columns, strips.strips[i].cells.size());
    places.tops.push_back(layout.tops[i] / layout.height);
    places.bottoms.push_back((layout.tops[i] + height_of(strips.strips[i])) / layout.height);
  }
  for (std::size_t j = 0; j < columns; ++j)
    places.lefts.push_back(StripLayout::x_of(j) / layout.width);
  return places;
}

void write_svg(const Strips& strips, const std::filesystem::path& file) {
  const StripLayout layout(strips);
  const std::pair<double, double> range = value_range(strips);
  std::string body;
  for (std::size_t row = 0; row < strips.strips.size(); ++row) {
    const Strip& strip = strips.strips[row];
    const double y = layout.tops[row];
    body += text_at(8, y + 14, strip.title);
    for (std::size_t i = 0; i < strip.cells.size(); ++i) {
      const double x = StripLayout::x_of(i);
      body += std::visit(
          [&](const auto& one) {
            if constexpr (requires { drawn(one, x, y, range); }) {
              return drawn(one, x, y, range);
            } else {
              return drawn(one, x, y);
            }
          },
          strip.cells[i]);
      body += text_at(x + cell / 2, y + height_of(strip) + 13, strip.captions.at(i),
                      " text-anchor='middle' font-size='11' fill='#444444'");
    }
  }
  write_file(file,
             fmt::format("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {:g} {:g}' "
                         "width='{:g}' height='{:g}' font-family='sans-serif' font-size='12'>\n"
                         "<rect width='100%' height='100%' fill='#ffffff'/>\n{}{}{}</svg>\n",
                         layout.width, layout.height, layout.width, layout.height,
                         text_at(8, 22, strips.title, " font-size='15'"),
                         text_at(8, 42, strips.note, " font-size='11' fill='#444444'"), body));
}

}  // namespace descramble
