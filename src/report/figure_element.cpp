#include "report/figure_element.h"

#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "descramble/core/base64.h"
#include "descramble/core/error.h"
#include "descramble/core/markup.h"
#include "report/html.h"
#include "results/figure_data.h"

namespace descramble {

using nlohmann::json;

namespace {

constexpr std::size_t most_rows = 200;     ///< of a table of curves
constexpr std::size_t most_entries = 400;  ///< of a matrix that is a table

std::string point_text(const json& value) {
  return value.is_number() ? fmt::format("{:.6g}", value.get<double>()) : std::string("none");
}

std::string table_of_curves(const json& data) {
  HtmlTable table{.columns = {"Curve", data.value("x_title", "x"), data.value("y_title", "y"),
                              "Band from", "to"}};
  bool banded = false;
  std::size_t points = 0;
  for (const json& series : data["series"]) {
    points += series["x"].size();
    banded = banded || series.contains("low");
    for (std::size_t i = 0; i < series["x"].size() && table.rows.size() < most_rows; ++i) {
      table.rows.push_back({series.value("label", ""), point_text(series["x"][i]),
                            point_text(series["y"][i]),
                            series.contains("low") ? point_text(series["low"][i]) : "",
                            series.contains("high") ? point_text(series["high"][i]) : ""});
    }
  }
  if (!banded) {
    table.columns.resize(3);
    for (std::vector<std::string>& row : table.rows) row.resize(3);
  }
  if (points > most_rows)
    table.caption = fmt::format("The first {} of {} points", most_rows, points);
  return details("The numbers of this figure", html_table(table));
}

/// "3 to 5 (mean)" for a mean of several rows or columns, else "3".
std::string heading(std::size_t place, std::size_t drawn, std::size_t given) {
  const std::size_t block = (given + drawn - 1) / drawn;
  const std::size_t first = place * block;
  const std::size_t last = std::min(given, first + block) - 1;
  return last > first ? fmt::format("{} to {} (mean)", first, last) : std::to_string(first);
}

std::string table_of_matrix(const json& panel) {
  const auto rows = panel.at("rows").get<std::size_t>();
  const auto columns = panel.at("columns").get<std::size_t>();
  const auto of = panel.at("of").get<std::vector<std::size_t>>();
  if (rows * columns > most_entries) return "";
  const std::string bytes = from_base64(panel.at("values").get<std::string>());
  std::vector<float> values(rows * columns);
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  HtmlTable table{.caption = panel.value("title", ""), .columns = {"row"}};
  for (std::size_t j = 0; j < columns; ++j) table.columns.push_back(heading(j, columns, of.at(1)));
  for (std::size_t i = 0; i < rows; ++i) {
    std::vector<std::string> row{heading(i, rows, of.at(0))};
    for (std::size_t j = 0; j < columns; ++j)
      row.push_back(fmt::format("{:.4g}", values[i * columns + j]));
    table.rows.push_back(std::move(row));
  }
  return details("The numbers of this figure", html_table(table));
}

std::string numbers_of(const json& data) {
  const std::string kind = data.value("kind", "");
  if (kind == "curves") return table_of_curves(data);
  // Strips have their table in the step.
  std::string tables;
  for (const json& panel : data.value("panels", json::array())) tables += table_of_matrix(panel);
  return tables;
}

}  // namespace

std::string figure_element(const FigureElement& figure, std::size_t run, json& shown) {
  std::string place;
  std::string numbers;
  if (figure.data.is_object()) {
    within(figure.name, [&] { return checked_figure_data(figure.data); });
    place = fmt::format(" data-run='{}' data-figure='{}'", run, shown.size());
    shown.push_back(figure.data);
    shown.back()["name"] = figure.name;
    numbers = "<output aria-live='polite'></output>" + numbers_of(figure.data);
  }
  return fmt::format(
      "<figure{}{}><div class='drawing'>{}</div><figcaption>{}</figcaption>{}</figure>\n",
      figure.wide ? " class='strip'" : "", place, svg_image(figure.svg, figure.alternative),
      markup(figure.caption), numbers);
}

}  // namespace descramble
