#include <algorithm>
#include <ostream>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/commands.h"
#include "cli/picture_file.h"
#include "descramble/core/error.h"
#include "descramble/plot/figure.h"
#include "results/answers.h"

namespace descramble {

namespace {

std::vector<WrittenAnswer> gathered(const std::vector<std::filesystem::path>& folders) {
  std::vector<WrittenAnswer> all;
  for (const std::filesystem::path& folder : folders) {
    const std::vector<WrittenAnswer> own = read_answers(folder);
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

std::vector<std::string> names_of(const std::vector<WrittenAnswer>& answers) {
  std::vector<std::string> names;
  for (const WrittenAnswer& answer : answers) {
    if (std::find(names.begin(), names.end(), answer.name) == names.end())
      names.push_back(answer.name);
  }
  return names;
}

std::vector<std::string> controls_of(const std::vector<WrittenAnswer>& answers) {
  std::set<std::string> names;
  for (const WrittenAnswer& answer : answers) {
    for (const auto& [name, value] : answer.controls) names.insert(name);
  }
  return {names.begin(), names.end()};
}

std::optional<double> control_of(const WrittenAnswer& answer, const std::string& name) {
  for (const auto& [control, value] : answer.controls) {
    if (control == name) return value;
  }
  return std::nullopt;
}

void print(const std::vector<WrittenAnswer>& answers, const std::vector<std::string>& controls,
           std::ostream& out) {
  std::size_t runs = 3;
  std::size_t matrices = 6;
  std::size_t readings = 7;
  for (const WrittenAnswer& answer : answers) {
    runs = std::max(runs, answer.run.size());
    matrices = std::max(matrices, answer.matrix.size());
    readings = std::max(readings, answer.reading.size());
  }
  out << fmt::format("{:<{}}  step  {:<{}}  {:<{}}  {:<22}", "run", runs, "matrix", matrices,
                     "reading", readings, "itself");
  for (const std::string& control : controls) out << fmt::format("  {:>10}", control);
  out << '\n';
  for (const WrittenAnswer& answer : answers) {
    std::string own = fmt::format("{:.4g}", answer.value);
    if (answer.uncertainty) own += fmt::format(" ± {:.2g}", *answer.uncertainty);
    if (!answer.unit.empty()) own += " " + answer.unit;
    out << fmt::format("{:<{}}  {:>4}  {:<{}}  {:<{}}  {:<22}", answer.run, runs, answer.step,
                       answer.matrix, matrices, answer.reading, readings, own);
    for (const std::string& control : controls) {
      const auto value = control_of(answer, control);
      out << fmt::format("  {:>10}", value ? fmt::format("{:.4g}", *value) : "none");
    }
    out << '\n';
  }
}

Figure figure_of(const std::vector<WrittenAnswer>& answers,
                 const std::vector<std::string>& controls) {
  const std::string unit = answers.front().unit;
  Figure figure{.title = answers.front().name,
                .x_title = answers.front().name + (unit.empty() ? "" : " / " + unit)};
  Series itself{.label = "itself", .points = true};
  for (std::size_t i = 0; i < answers.size(); ++i) {
    figure.y_names.push_back(answers[i].run + ", " + answers[i].matrix);
    itself.x.push_back(answers[i].value);
    itself.y.push_back(static_cast<double>(i));
  }
  figure.series.push_back(std::move(itself));
  for (const std::string& control : controls) {
    Series series{.label = control, .points = true};
    for (std::size_t i = 0; i < answers.size(); ++i) {
      const auto value = control_of(answers[i], control);
      if (!value) continue;
      series.x.push_back(*value);
      series.y.push_back(static_cast<double>(i));
    }
    figure.series.push_back(std::move(series));
  }
  return figure;
}

}  // namespace

int compare_command(const CompareOptions& options, std::ostream& out) {
  std::vector<WrittenAnswer> answers = gathered(options.folders);
  const std::vector<std::string> names = names_of(answers);
  if (options.answer.empty()) {
    for (const std::string& name : names) out << name << '\n';
    return 0;
  }
  if (!options.out.empty()) check_picture_file(options.out, options.force);
  std::erase_if(answers, [&](const WrittenAnswer& one) { return one.name != options.answer; });
  if (answers.empty()) {
    throw Error({"no such answer", "--answer",
                 "one of " + quoted_list(nearest(options.answer, names)),
                 "'" + options.answer + "'"});
  }
  const std::vector<std::string> controls = controls_of(answers);
  print(answers, controls, out);
  if (!options.out.empty()) write_svg(figure_of(answers, controls), options.out);
  return 0;
}

}  // namespace descramble
