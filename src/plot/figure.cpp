#include "descramble/plot/figure.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/error.h"
#include "descramble/core/files.h"
#include "plot/gnuplot.h"

namespace descramble {

namespace {

/// Okabe and Ito, "Color universal design" (2008), without yellow, which is hard to see on white.
constexpr std::array colours = {"#0072B2", "#D55E00", "#009E73", "#CC79A7",
                                "#E69F00", "#56B4E9", "#000000"};
constexpr std::array dashes = {"solid", "(9,4)", "(2,3)", "(12,3,2,3)", "(5,2)"};
constexpr std::array markers = {7, 5, 9, 13, 11, 6, 4};  // filled and open, no two alike
/// Curves with at most this number of points show a marker at each point.
constexpr std::size_t marked_points = 40;

void require_length(const Series& series, const std::vector<double>& values, const char* name) {
  if (values.size() == series.x.size()) return;
  throw Error({"cannot draw '" + series.label + "'", name,
               fmt::format("{} values, one for each x", series.x.size()),
               fmt::format("{}", values.size())});
}

void require_positive(const std::string& label, double value, const char* axis) {
  if (!std::isfinite(value) || value > 0) return;
  throw Error({"cannot draw '" + label + "'", fmt::format("logarithmic {} axis", axis),
               "values > 0", fmt::format("{}", value)});
}

struct Extent {
  double low = std::numeric_limits<double>::infinity();
  double high = -std::numeric_limits<double>::infinity();
};

/// Checks the figure; the range of its x. @throws Error
Extent checked_extent(const Figure& figure) {
  Extent extent;
  for (const Series& series : figure.series) {
    require_length(series, series.y, "y");
    if (!series.low.empty() || !series.high.empty()) {
      require_length(series, series.low, "low");
      require_length(series, series.high, "high");
    }
    for (std::size_t i = 0; i < series.x.size(); ++i) {
      if (figure.log_x) require_positive(series.label, series.x[i], "x");
      if (figure.log_y) {
        require_positive(series.label, series.y[i], "y");
        if (!series.low.empty()) require_positive(series.label, series.low[i], "y");
      }
      if (!std::isfinite(series.x[i]) || !std::isfinite(series.y[i])) continue;
      extent.low = std::min(extent.low, series.x[i]);
      extent.high = std::max(extent.high, series.x[i]);
    }
  }
  for (const ReferenceLine& line : figure.references) {
    if (!std::isfinite(line.y))
      throw Error({"cannot draw '" + line.label + "'", "reference line", "a finite value",
                   fmt::format("{}", line.y)});
    if (figure.log_y) require_positive(line.label, line.y, "y");
  }
  if (!(extent.low <= extent.high))
    throw Error({"nothing to draw", figure.title, "at least one finite point", "none"});
  return extent;
}

/// The data blocks of a figure, and the parts of its plot command.
class Commands {
 public:
  void add_band(const Series& series, std::size_t style) {
    if (series.low.empty()) return;
    for_each_run(series, {&series.low, &series.high}, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) {
        add_row({series.x[i], series.low[i], series.high[i]});
        if (series.steps && i + 1 < end) add_row({series.x[i + 1], series.low[i], series.high[i]});
      }
      plot(
          fmt::format("using 1:2:3 with filledcurves linecolor rgb '{}' fillstyle transparent "
                      "solid 0.2 noborder notitle",
                      colour(series.colour.value_or(style))));
    });
  }

  void add_curve(const Series& series, std::size_t style) {
    bool named = series.label.empty();
    for_each_run(series, {&series.y}, [&](std::size_t begin, std::size_t end) {
      for (std::size_t i = begin; i < end; ++i) add_row({series.x[i], series.y[i]});
      const bool alone = series.points || end - begin == 1;
      const bool marked = series.points || (!series.steps && series.x.size() <= marked_points);
      const char* with = alone          ? "points"
                         : series.steps ? "steps"
                         : marked       ? "linespoints"
                                        : "lines";
      std::string line = fmt::format("using 1:2 with {} linecolor rgb '{}'", with,
                                     colour(series.colour.value_or(style)));
      if (!alone) {
        line += fmt::format(" linewidth 2 dashtype {}",
                            dashes[series.dash.value_or(style) % dashes.size()]);
      }
      if (alone || marked) {
        line += fmt::format(" pointtype {} pointsize {}", markers[style % markers.size()],
                            series.points ? 0.9 : 0.6);
      }
      plot(line + (named ? " notitle" : " title " + quoted(series.label)));
      named = true;
    });
  }

  void add_reference(const ReferenceLine& line, const Extent& extent, std::size_t number) {
    add_row({extent.low, line.y});
    add_row({extent.high, line.y});
    plot(fmt::format("using 1:2 with lines linecolor rgb '#666666' linewidth 1.5 dashtype {} {}",
                     number % 2 == 0 ? "(2,4)" : "(8,3,1,3)",
                     line.label.empty() ? "notitle" : "title " + quoted(line.label)));
  }

  std::string text() const { return blocks_ + "plot " + plots_ + "\n"; }

 private:
  static const char* colour(std::size_t style) { return colours[style % colours.size()]; }

  /// Stretches of points with finite x and `values`.
  template <class Draw>
  static void for_each_run(const Series& series, std::vector<const std::vector<double>*> values,
                           const Draw& draw) {
    const auto finite = [&](std::size_t i) {
      return std::isfinite(series.x[i]) &&
             std::all_of(values.begin(), values.end(),
                         [i](const auto* list) { return std::isfinite((*list)[i]); });
    };
    for (std::size_t begin = 0; begin < series.x.size();) {
      std::size_t end = begin;
      while (end < series.x.size() && finite(end)) ++end;
      if (end > begin) draw(begin, end);
      begin = end + 1;
    }
  }

  void add_row(std::initializer_list<double> values) {
    rows_ += fmt::format("{}\n", fmt::join(values.begin(), values.end(), " "));
  }

  void plot(const std::string& how) {
    blocks_ += fmt::format("$data{0} << END\n{1}END\n", count_, rows_);
    plots_ += fmt::format("{}$data{} {}", count_ == 0 ? "" : ", \\\n     ", count_, how);
    rows_.clear();
    ++count_;
  }

  std::string rows_{};
  std::string blocks_{};
  std::string plots_{};
  int count_ = 0;
};

constexpr std::size_t plain_width = 720;

/// Names stand on the left, and the figure is wider by the room that they need.
std::size_t names_width(const Figure& figure) {
  constexpr std::size_t letter = 7;
  std::size_t longest = 0;
  for (const std::string& name : figure.y_names) longest = std::max(longest, name.size());
  return letter * longest;
}

/// Names of rows, the first one on top.
std::string named_rows(const Figure& figure) {
  std::vector<std::string> tics;
  for (std::size_t i = 0; i < figure.y_names.size(); ++i)
    tics.push_back(fmt::format("{} {}", quoted(figure.y_names[i]), i));
  const auto names = static_cast<double>(names_width(figure) + 20);
  return fmt::format(
      "set ytics noenhanced font ',12' ({})\nset yrange [{}:-0.5]\n"
      "set lmargin at screen {:.4f}\nset offsets graph 0.02, graph 0.02, 0, 0\n",
      fmt::join(tics, ", "), static_cast<double>(figure.y_names.size()) - 0.5,
      names / static_cast<double>(plain_width + names_width(figure)));
}

std::size_t axes_height(const Figure& figure) {
  constexpr std::size_t row = 18;
  constexpr std::size_t around = 90;  // title and x axis
  return figure.y_names.empty() ? 390 : around + row * figure.y_names.size();
}

std::size_t legend_entries(const Figure& figure) {
  const auto named = [](const auto& item) { return !item.label.empty(); };
  return static_cast<std::size_t>(
      std::count_if(figure.series.begin(), figure.series.end(), named) +
      std::count_if(figure.references.begin(), figure.references.end(), named));
}

}  // namespace

std::string gnuplot_script(const Figure& figure) {
  const Extent extent = checked_extent(figure);
  // The legend has room for two columns. Each of its rows makes the figure longer and does not make
  // the axes shorter.
  const std::size_t rows = (legend_entries(figure) + 1) / 2;
  std::string script = fmt::format(
      "set encoding utf8\n"
      "set terminal svg size {},{} dynamic enhanced rounded font 'sans-serif,14' "
      "background '#ffffff'\n"
      "set key below center horizontal Left reverse noenhanced samplen 3 height 1 maxcols 2\n",
      plain_width + names_width(figure), axes_height(figure) + 21 * rows);
  script +=
      "set border 3 linecolor rgb '#333333'\n"
      "set tics nomirror enhanced\n"
      "set grid linecolor rgb '#dddddd' linewidth 1 dashtype solid\n";
  script += "set title " + quoted(figure.title) + " noenhanced\n";
  // Axes end with the curves.
  script += "set autoscale xfix\n";
  script += "set xlabel " + quoted(figure.x_title) + " offset 0,0.4 noenhanced\n";
  script += "set ylabel " + quoted(figure.y_title) + " noenhanced\n";
  for (const auto& [name, logarithmic] : {std::pair{'x', figure.log_x}, {'y', figure.log_y}}) {
    if (logarithmic)
      script += fmt::format("set logscale {0}\nset format {0} '10^{{%T}}'\n", name);
    else if (name == 'x' || figure.y_names.empty())
      script += fmt::format("set format {} '%g'\n", name);
  }
  if (!figure.y_names.empty()) script += named_rows(figure);
  if (figure.y_range) {
    script += fmt::format("set yrange [{}:{}]\n", figure.y_range->first, figure.y_range->second);
  }
  Commands commands;
  for (std::size_t i = 0; i < figure.series.size(); ++i) commands.add_band(figure.series[i], i);
  for (std::size_t i = 0; i < figure.references.size(); ++i)
    commands.add_reference(figure.references[i], extent, i);
  for (std::size_t i = 0; i < figure.series.size(); ++i) commands.add_curve(figure.series[i], i);
  return script + commands.text();
}

void write_svg(const Figure& figure, const std::filesystem::path& file) {
  write_file(file, run_gnuplot(gnuplot_script(figure)));
}

}  // namespace descramble
