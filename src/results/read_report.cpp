#include "results/read_report.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "results/matrix_picture.h"
#include "results/or_null.h"

namespace descramble {

using nlohmann::json;

namespace {

json answers_json(const Reading& reading) {
  json answers = json::array();
  for (const Answer& answer : reading.answers) {
    answers.push_back({{"name", answer.name},
                       {"value", answer.value},
                       {"uncertainty", or_null(answer.uncertainty)},
                       {"unit", or_null(answer.unit)}});
  }
  return answers;
}

std::string number(const Answer& answer) {
  std::string text = fmt::format("{:.4g}", answer.value);
  if (answer.uncertainty) text += fmt::format(" ± {:.2g}", *answer.uncertainty);
  if (!answer.unit.empty()) text += " " + answer.unit;
  return text;
}

/// The reading, then "name value (raw ..., untrained ...)": one line for each answer.
void add_lines(const ReadingOutcome& outcome, std::vector<std::string>& lines) {
  lines.push_back("  " + outcome.label);
  for (const Answer& answer : outcome.reading.answers) {
    std::string line = fmt::format("    {:<24}{}", answer.name, number(answer));
    std::vector<std::string> others;
    for (const auto& [name, control] : outcome.controls) {
      const auto found =
          std::find_if(control.answers.begin(), control.answers.end(),
                       [&](const Answer& other) { return other.name == answer.name; });
      others.push_back(found != control.answers.end() ? fmt::format("{} {:.4g}", name, found->value)
                                                      : name + " none");
    }
    if (!others.empty()) line += fmt::format("  ({})", fmt::join(others, ", "));
    lines.push_back(line);
  }
  for (const std::string& note : outcome.reading.notes)
    lines.push_back(fmt::format("    {:<24}{}", "note", note));
}

void add_rows(const std::string& matrix, std::int64_t number, const std::string& kind,
              const std::string& of, const Reading& reading, Table& table) {
  for (const Answer& answer : reading.answers) {
    table.rows.push_back({matrix, number, kind, of, answer.name, answer.value,
                          answer.uncertainty ? Table::Cell(*answer.uncertainty) : Table::Cell(""),
                          answer.unit});
  }
}

}  // namespace

StepResult read_report(const MatrixView& matrix, const std::vector<MatrixView>& drawn,
                       const std::vector<ReadingOutcome>& outcomes,
                       const std::vector<std::string>& notes) {
  StepResult result;
  json readings = json::array();
  Table table{
      .name = "readings",
      .columns = {"matrix", "number", "reading", "of", "name", "value", "uncertainty", "unit"}};
  result.lines.push_back(
      fmt::format("{}  {} x {}", matrix.title, matrix.values.size(0), matrix.values.size(1)));
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const ReadingOutcome& outcome = outcomes[i];
    const auto number = static_cast<std::int64_t>(i);
    json controls = json::object();
    add_rows(matrix.title, number, outcome.kind, "as found", outcome.reading, table);
    for (const auto& [name, control] : outcome.controls) {
      controls[name] = answers_json(control);
      add_rows(matrix.title, number, outcome.kind, name, control, table);
    }
    readings.push_back({{"kind", outcome.kind},
                        {"label", outcome.label},
                        {"answers", answers_json(outcome.reading)},
                        {"controls", std::move(controls)},
                        {"notes", outcome.reading.notes}});
    add_lines(outcome, result.lines);
    for (const auto& [name, drawing] : outcome.reading.figures)
      result.figures.push_back({fmt::format("{}.{}", i, name), drawing});
  }
  for (const std::string& note : notes)
    result.lines.push_back(fmt::format("  {:<24}{}", "note", note));
  Panels panels;
  for (const MatrixView& one : drawn) panels.pictures.push_back(matrix_picture(one));
  result.figures.push_back({"matrix", std::move(panels)});
  result.tables.push_back(std::move(table));
  result.tensors["matrix"] = matrix.values.contiguous();
  result.json = {
      {"matrix",
       {{"title", matrix.title}, {"shape", {matrix.values.size(0), matrix.values.size(1)}}}},
      {"readings", std::move(readings)},
      {"notes", notes}};
  return result;
}

}  // namespace descramble
