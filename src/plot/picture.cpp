#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/core/files.h"
#include "descramble/plot/figure.h"
#include "plot/gnuplot.h"

namespace descramble {

Picture with_at_most(const Picture& picture, std::size_t most) {
  const std::size_t rows = (picture.rows + most - 1) / most;
  const std::size_t columns = (picture.columns + most - 1) / most;
  if (rows <= 1 && columns <= 1) return picture;
  Picture result = picture;
  result.rows = (picture.rows + rows - 1) / rows;
  result.columns = (picture.columns + columns - 1) / columns;
  result.values.assign(result.rows * result.columns, 0.0);
  std::vector<double> counts(result.values.size(), 0.0);
  for (std::size_t i = 0; i < picture.rows; ++i) {
    for (std::size_t j = 0; j < picture.columns; ++j) {
      const std::size_t at = i / rows * result.columns + j / columns;
      result.values[at] += picture.values[i * picture.columns + j];
      counts[at] += 1;
    }
  }
  for (std::size_t i = 0; i < counts.size(); ++i) result.values[i] /= counts[i];
  return result;
}

namespace {

/// The drawing of some pictures, in pixels.
struct Layout {
  double width = 0;
  double height = 0;
  Place inner{};         ///< what all pictures take, without their axes and the scale of colours
  std::size_t most = 0;  ///< rows and columns of a picture: about as many as a screen shows
  double between = 0;    ///< from the end of one picture to the beginning of the next

  explicit Layout(std::size_t pictures) {
    const bool several = pictures > 1;
    width = several ? 440.0 * static_cast<double>(pictures) + 60 : 620;
    height = several ? 480 : 560;
    inner =
        several ? Place{112 / width, 0.14, 1 - 140 / width, 0.76} : Place{0.13, 0.08, 0.81, 0.87};
    most = several ? 192 : 384;
    between = several ? 110 / width : 0;
  }
};

void require_drawable(const Picture& picture) {
  if (picture.values.size() != picture.rows * picture.columns || picture.values.empty()) {
    throw Error({"cannot draw '" + picture.title + "'", "values",
                 fmt::format("{} x {} of them", picture.rows, picture.columns),
                 fmt::format("{}", picture.values.size())});
  }
  for (const double value : picture.values) {
    if (!std::isfinite(value))
      throw Error({"cannot draw '" + picture.title + "'", "values", "finite numbers",
                   fmt::format("{}", value)});
  }
}

/// Smallest and largest value of the colours.
std::pair<double, double> colour_range(const std::vector<Picture>& pictures) {
  double low = 0;
  double high = -INFINITY;
  bool centred = false;
  for (const Picture& picture : pictures) {
    const auto [least, most] = std::minmax_element(picture.values.begin(), picture.values.end());
    low = std::min(low, *least);
    high = std::max(high, *most);
    centred = centred || picture.centred;
  }
  if (centred) {
    const double size = std::max(std::abs(low), std::abs(high));
    return {size > 0 ? -size : -1, size > 0 ? size : 1};
  }
  return {low, high > low ? high : high + 1};
}

/// Where the middles of the first and the last square lie on an axis. Each square is a block of
/// neighbouring entries; the last one is drawn whole, though it may have fewer.
struct AxisPlace {
  double first = 0;
  double step = 1;

  AxisPlace(std::size_t given, std::size_t drawn,
            const std::optional<std::pair<double, double>>& range) {
    const double unit =
        range && given > 1 ? (range->second - range->first) / static_cast<double>(given - 1) : 1;
    const auto block = static_cast<double>((given + drawn - 1) / drawn);
    first = (range ? range->first : 0) + unit * (block - 1) / 2;
    step = unit * block;
  }
  double begin() const { return first - step / 2; }
  double end(std::size_t drawn) const { return begin() + step * static_cast<double>(drawn); }
};

/// The commands for one picture on the current axes.
std::string commands(const Picture& given, const Picture& picture, std::size_t number) {
  const AxisPlace x(given.columns, picture.columns, given.x_range);
  const AxisPlace y(given.rows, picture.rows, given.y_range);
  std::string script = "set title " + quoted(picture.title) + " noenhanced\n";
  script += "set xlabel " + quoted(picture.x_title) + " noenhanced\n";
  script += "set ylabel " + quoted(picture.y_title) + " noenhanced\n";
  script += "set cblabel " + quoted(picture.label) + " noenhanced\n";
  script += fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\n", x.begin(),
                        x.end(picture.columns), y.end(picture.rows), y.begin());
  script += fmt::format("$data{} << END\n", number);
  for (std::size_t i = 0; i < picture.rows; ++i) {
    for (std::size_t j = 0; j < picture.columns; ++j)
      script += fmt::format("{:.4g} ", picture.values[i * picture.columns + j]);
    script += '\n';
  }
  // Many squares go in as one embedded image.
  constexpr std::size_t most_squares = 400;
  const bool embedded = picture.rows * picture.columns > most_squares;
  script += fmt::format("END\nplot $data{} matrix using ({}+$1*{}):({}+$2*{}):3 with image{}\n",
                        number, x.first, x.step, y.first, y.step, embedded ? "" : " pixels");
  return script;
}

/// Squares in an embedded image keep their edges where they are drawn larger.
std::string with_sharp_images(std::string svg) {
  constexpr std::string_view image = "<image ";
  constexpr std::string_view sharp = "style='image-rendering:pixelated' ";
  for (std::size_t at = svg.find(image); at != std::string::npos; at = svg.find(image, at + 1))
    svg.insert(at + image.size(), sharp);
  return svg;
}

std::string script_of(const std::vector<Picture>& pictures) {
  if (pictures.empty()) throw Error({"cannot draw", "panels", "at least one picture", "none"});
  const bool several = pictures.size() > 1;
  const Layout layout(pictures.size());
  bool centred = false;
  std::vector<Picture> shown;
  for (const Picture& picture : pictures) {
    require_drawable(picture);
    shown.push_back(with_at_most(picture, layout.most));
    centred = centred || picture.centred;
  }
  std::string script = fmt::format(
      "set encoding utf8\n"
      "set terminal svg size {},{} dynamic enhanced rounded font 'sans-serif,{}' "
      "background '#ffffff'\n",
      layout.width, layout.height, several ? 18 : 14);
  script += centred ? "set palette defined (0 '#001261', 1 '#1e6f9d', 2 '#71a8c4', 3 '#f7f7f7', 4 "
                      "'#d39774', 5 '#be6533', 6 '#590008')\n"
                    // Viridis (van der Walt and Smith, 2015) at five places.
                    : "set palette defined (0 '#440154', 1 '#3b528b', 2 '#21918c', 3 '#5ec962', 4 "
                      "'#fde725')\n";
  script += "set tics nomirror out\nset border linecolor rgb '#333333'\nunset key\n";
  const auto [low, high] = colour_range(shown);
  script += fmt::format("set cbrange [{}:{}]\n", low, high);
  // Several pictures have one scale of colours, which stands beside the last one.
  script += fmt::format(
      "set multiplot layout 1,{} margins screen {:.4f},{:.4f},{:.4f},{:.4f} "
      "spacing screen {:.4f}\nunset colorbox\n",
      pictures.size(), layout.inner.left, layout.inner.right, 1 - layout.inner.bottom,
      1 - layout.inner.top, layout.between);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    if (i + 1 == pictures.size()) script += "set colorbox\n";
    script += commands(pictures[i], shown[i], i);
  }
  return script;
}

}  // namespace

std::vector<Place> places_of(const Panels& panels) {
  const Layout layout(panels.pictures.size());
  const auto count = static_cast<double>(panels.pictures.size());
  const Place& inner = layout.inner;
  const double width = (inner.right - inner.left - (count - 1) * layout.between) / count;
  std::vector<Place> places;
  for (std::size_t i = 0; i < panels.pictures.size(); ++i) {
    const double left = inner.left + static_cast<double>(i) * (width + layout.between);
    places.push_back({left, inner.top, left + width, inner.bottom});
  }
  return places;
}

void write_svg(const Picture& picture, const std::filesystem::path& file) {
  write_svg(Panels{{picture}}, file);
}

std::string svg_text(const Panels& panels) {
  return with_sharp_images(run_gnuplot(script_of(panels.pictures)));
}

void write_svg(const Panels& panels, const std::filesystem::path& file) {
  write_file(file, svg_text(panels));
}

}  // namespace descramble
