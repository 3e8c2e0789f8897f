#include <algorithm>
#include <cmath>

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

}  // namespace

void write_svg(const Picture& given, const std::filesystem::path& file) {
  if (given.values.size() != given.rows * given.columns || given.values.empty()) {
    throw Error({"cannot draw '" + given.title + "'", "values",
                 fmt::format("{} x {} of them", given.rows, given.columns),
                 fmt::format("{}", given.values.size())});
  }
  for (const double value : given.values) {
    if (!std::isfinite(value))
      throw Error({"cannot draw '" + given.title + "'", "values", "finite numbers",
                   fmt::format("{}", value)});
  }
  const Picture picture = reduced(given);
  const double step_x = static_cast<double>(given.columns) / static_cast<double>(picture.columns);
  const double step_y = static_cast<double>(given.rows) / static_cast<double>(picture.rows);
  std::string script =
      "set encoding utf8\n"
      "set terminal svg size 620,560 dynamic enhanced rounded font 'sans-serif,14' "
      "background '#ffffff'\n"
      // Viridis (van der Walt and Smith, 2015) at five places.
      "set palette defined (0 '#440154', 1 '#3b528b', 2 '#21918c', 3 '#5ec962', 4 '#fde725')\n"
      "set tics nomirror out\nset border linecolor rgb '#333333'\nunset key\n";
  script += "set title " + quoted(picture.title) + " noenhanced\n";
  script += "set xlabel " + quoted(picture.x_title) + " noenhanced\n";
  script += "set ylabel " + quoted(picture.y_title) + " noenhanced\n";
  script += "set cblabel " + quoted(picture.label) + " noenhanced\n";
  script += fmt::format("set xrange [{}:{}]\nset yrange [{}:{}]\n", -step_x / 2,
                        static_cast<double>(given.columns) - step_x / 2,
                        static_cast<double>(given.rows) - step_y / 2, -step_y / 2);
  const auto [low, high] = std::minmax_element(picture.values.begin(), picture.values.end());
  script += fmt::format("set cbrange [{}:{}]\n", std::min(0.0, *low),
                        *high > std::min(0.0, *low) ? *high : *low + 1);
  script += "$data << END\n";
  for (std::size_t i = 0; i < picture.rows; ++i) {
    for (std::size_t j = 0; j < picture.columns; ++j)
      script += fmt::format("{:.4g} ", picture.values[i * picture.columns + j]);
    script += '\n';
  }
  script += fmt::format("END\nplot $data matrix using ($1*{}):($2*{}):3 with image pixels\n",
                        step_x, step_y);
  if (picture.rows * picture.columns > 64 * 64) {
    // Many squares go in as one embedded image.
    script.replace(script.rfind(" pixels"), 7, "");
  }
  write_file(file, run_gnuplot(script));
}

}  // namespace descramble
