#include <algorithm>
#include <ostream>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/commands.h"
#include "cli/output_file.h"
#include "descramble/core/error.h"
#include "descramble/plot/figure.h"
#include "results/answers.h"
#include "results/written_result.h"

namespace descramble {

namespace {

/// A row of the table: an answer, and how its run is called.
struct Row {
  std::string run{};
  WrittenAnswer answer{};
};

std::vector<Row> gathered(const std::vector<std::filesystem::path>& folders) {
  const std::vector<std::string> names = folder_names(folders);
  std::vector<Row> rows;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    for (WrittenAnswer& answer : read_answers(folders[i]))
      rows.push_back({names[i], std::move(answer)});
  }
  return rows;
}

/// The numbers that can be compared. A control may have one that the matrix itself has not.
std::vector<std::string> names_of(const std::vector<Row>& rows) {
  std::vector<std::string> names;
  for (const Row& row : rows) {
    if (std::find(names.begin(), names.end(), row.answer.name) == names.end())
      names.push_back(row.answer.name);
  }
  return names;
}

std::vector<std::string> controls_of(const std::vector<Row>& rows) {
  std::set<std::string> names;
  for (const Row& row : rows) {
    for (const auto& [name, value] : row.answer.controls) names.insert(name);
  }
  return {names.begin(), names.end()};
}

std::optional<double> control_of(const WrittenAnswer& answer, const std::string& name) {
  for (const auto& [control, value] : answer.controls) {
    if (control == name) return value;
  }
  return std::nullopt;
}

void print(const std::vector<Row>& rows, const std::vector<std::string>& controls,
           std::ostream& out) {
  std::size_t runs = 3;
  std::size_t matrices = 6;
  std::size_t readings = 7;
  for (const auto& [run, answer] : rows) {
    runs = std::max(runs, run.size());
    matrices = std::max(matrices, answer.matrix.size());
    readings = std::max(readings, answer.reading.size());
  }
  out << fmt::format("{:<{}}  step  {:<{}}  {:<{}}  {:<22}", "run", runs, "matrix", matrices,
                     "reading", readings, "as found");
  for (const std::string& control : controls) out << fmt::format("  {:>10}", control);
  out << '\n';
  for (const auto& [run, answer] : rows) {
    std::string own = fmt::format("{:.4g}", answer.value);
    if (answer.uncertainty) own += fmt::format(" ± {:.2g}", *answer.uncertainty);
    if (!answer.unit.empty()) own += " " + answer.unit;
    out << fmt::format("{:<{}}  {:>4}  {:<{}}  {:<{}}  {:<22}", run, runs, answer.step,
                       answer.matrix, matrices, answer.reading, readings, own);
    for (const std::string& control : controls) {
      const auto value = control_of(answer, control);
      out << fmt::format("  {:>10}", value ? fmt::format("{:.4g}", *value) : "none");
    }
    out << '\n';
  }
}

Figure figure_of(const std::vector<Row>& rows, const std::vector<std::string>& controls) {
  const WrittenAnswer& first = rows.front().answer;
  Figure figure{.title = first.name + " of " + first.reading,
                .x_title = first.name + (first.unit.empty() ? "" : " / " + first.unit)};
  Series found{.label = "as found", .points = true};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    figure.y_names.push_back(rows[i].run + ", " + rows[i].answer.matrix);
    found.x.push_back(rows[i].answer.value);
    found.y.push_back(static_cast<double>(i));
  }
  figure.series.push_back(std::move(found));
  for (const std::string& control : controls) {
    Series series{.label = control, .points = true};
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto value = control_of(rows[i].answer, control);
      if (!value) continue;
      series.x.push_back(*value);
      series.y.push_back(static_cast<double>(i));
    }
    figure.series.push_back(std::move(series));
  }
  return figure;
}

/// Runs that have been read, but without this number: that is an answer, too.
void print_missing(const std::vector<Row>& all, const std::vector<Row>& rows,
                   const std::string& name, std::ostream& out) {
  std::vector<std::string> missing;
  for (const Row& row : all) {
    const auto same = [&](const Row& other) { return other.run == row.run; };
    if (std::any_of(rows.begin(), rows.end(), same)) continue;
    if (std::find(missing.begin(), missing.end(), row.run) == missing.end())
      missing.push_back(row.run);
  }
  for (const std::string& run : missing) out << fmt::format("{}  no {}\n", run, name);
}

}  // namespace

int compare_command(const CompareOptions& options, std::ostream& out) {
  const std::vector<Row> all = gathered(options.folders);
  const std::vector<std::string> names = names_of(all);
  if (options.answer.empty()) {
    if (!options.out.empty())
      throw Error({"nothing to draw", "--answer", "one of " + quoted_list(names), "none"});
    for (const std::string& name : names) out << name << '\n';
    return 0;
  }
  if (!options.out.empty()) check_output_file(options.out, ".svg", options.force);
  std::vector<Row> rows = all;
  std::erase_if(rows, [&](const Row& row) { return row.answer.name != options.answer; });
  if (rows.empty()) {
    throw Error({"no such answer", "--answer",
                 "one of " + quoted_list(nearest(options.answer, names)),
                 "'" + options.answer + "'"});
  }
  const std::vector<std::string> controls = controls_of(rows);
  print(rows, controls, out);
  print_missing(all, rows, options.answer, out);
  if (!options.out.empty()) write_svg(figure_of(rows, controls), options.out);
  return 0;
}

}  // namespace descramble
