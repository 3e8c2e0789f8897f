#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/core/files.h"
#include "descramble/plot/figure.h"
#include "plot/gnuplot.h"

namespace descramble {

namespace {

/// Means over square blocks of neighbouring entries, so that neither side exceeds the drawn size.
Picture reduced(const Picture& picture) {
  constexpr std::size_t most = 512;
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

/// Where the middles of the first and the last square lie on an axis.
struct Place {
  double first = 0;
  double step = 1;

  Place(std::size_t given, std::size_t drawn,
        const std::optional<std::pair<double, double>>& range) {
    const auto n = static_cast<double>(given);
    const double unit = range && given > 1 ? (range->second - range->first) / (n - 1) : 1;
    first = range ? range->first : 0;
    step = unit * n / static_cast<double>(drawn);
  }
  double begin() const { return first - step / 2; }
  double end(std::size_t drawn) const { return begin() + step * static_cast<double>(drawn); }
};

/// The commands for one picture on the current axes.
std::string commands(const Picture& given, const Picture& picture, std::size_t number) {
  const Place x(given.columns, picture.columns, given.x_range);
  const Place y(given.rows, picture.rows, given.y_range);
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
  const bool embedded = picture.rows * picture.columns > 64 * 64;
  script += fmt::format("END\nplot $data{} matrix using ({}+$1*{}):({}+$2*{}):3 with image{}\n",
                        number, x.first, x.step, y.first, y.step, embedded ? "" : " pixels");
  return script;
}

std::string drawn(const std::vector<Picture>& pictures) {
  if (pictures.empty()) throw Error({"cannot draw", "panels", "at least one picture", "none"});
  const bool several = pictures.size() > 1;
  bool centred = false;
  std::vector<Picture> shown;
  for (const Picture& picture : pictures) {
    require_drawable(picture);
    shown.push_back(reduced(picture));
    centred = centred || picture.centred;
  }
  std::string script = fmt::format(
      "set encoding utf8\n"
      "set terminal svg size {},{} dynamic enhanced rounded font 'sans-serif,{}' "
      "background '#ffffff'\n",
      several ? 440 * pictures.size() + 60 : 620, several ? 480 : 560, several ? 18 : 14);
  script += centred ? "set palette defined (0 '#001261', 1 '#1e6f9d', 2 '#71a8c4', 3 '#f7f7f7', 4 "
                      "'#d39774', 5 '#be6533', 6 '#590008')\n"
                    // Viridis (van der Walt and Smith, 2015) at five places.
                    : "set palette defined (0 '#440154', 1 '#3b528b', 2 '#21918c', 3 '#5ec962', 4 "
                      "'#fde725')\n";
  script += "set tics nomirror out\nset border linecolor rgb '#333333'\nunset key\n";
  const auto [low, high] = colour_range(shown);
  script += fmt::format("set cbrange [{}:{}]\n", low, high);
  // Several pictures have one scale of colours, which stands beside the last one.
  if (several) {
    const auto count = static_cast<double>(pictures.size());
    const double width = 440 * count + 60;
    script += fmt::format(
        "set multiplot layout 1,{} margins screen {:.4f},{:.4f},0.24,0.86 "
        "spacing screen {:.4f}\nunset colorbox\n",
        pictures.size(), 100 / width, (width - 140) / width, 110 / width);
  }
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    if (several && i + 1 == pictures.size()) script += "set colorbox\n";
    script += commands(pictures[i], shown[i], i);
  }
  return script;
}

}  // namespace

void write_svg(const Picture& picture, const std::filesystem::path& file) {
  write_file(file, run_gnuplot(drawn({picture})));
}

std::string svg_text(const Panels& panels) {
  return run_gnuplot(drawn(panels.pictures));
}

void write_svg(const Panels& panels, const std::filesystem::path& file) {
  write_file(file, svg_text(panels));
}

}  // namespace descramble
