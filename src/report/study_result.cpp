#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "descramble/core/error.h"
#include "descramble/core/files.h"
#include "descramble/core/json.h"
#include "descramble/plot/figure.h"
#include "descramble/report/study.h"
#include "report/answer_store.h"
#include "report/study_collected.h"
#include "report/study_key.h"
#include "results/or_null.h"
#include "results/table.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

json score_json(const StudyScore& score) {
  json groups = json::array();
  for (const StudyGroup& one : score.groups) {
    groups.push_back({{"tap", one.tap},
                      {"basis", one.basis},
                      {"answers", one.answers},
                      {"right", one.right},
                      {"accuracy", one.accuracy},
                      {"standard_error_vectors", or_null(one.error_vectors)},
                      {"standard_error_participants", or_null(one.error_participants)},
                      {"low", one.low},
                      {"high", one.high}});
  }
  json comparisons = json::array();
  for (const StudyComparison& one : score.comparisons) {
    comparisons.push_back({{"tap", one.tap},
                           {"first", one.first},
                           {"second", one.second},
                           {"participants", one.participants},
                           {"difference", one.difference},
                           {"p_value", one.p_value}});
  }
  json participants = json::array();
  for (const StudyParticipant& one : score.participants) {
    participants.push_back({{"participant", one.participant},
                            {"answers", one.answers},
                            {"right", one.right},
                            {"attention_checks", one.checks},
                            {"attention_checks_right", one.checks_right},
                            {"median_seconds", one.median_seconds}});
  }
  return {{"schema_version", 1},
          {"questions", score.questions},
          {"participants", std::move(participants)},
          {"left_out", score.left_out},
          {"groups", std::move(groups)},
          {"comparisons", std::move(comparisons)}};
}

Table answers_table(const std::vector<StudyAnswer>& answers) {
  Table table{
      .name = "answers",
      .columns = {"participant", "trial", "tap", "basis", "component", "right", "top", "seconds"}};
  for (const StudyAnswer& one : answers) {
    table.rows.push_back({one.participant, one.trial, one.tap, one.basis, one.component,
                          static_cast<std::int64_t>(one.right), static_cast<std::int64_t>(one.top),
                          one.seconds});
  }
  return table;
}

Figure accuracy_figure(const StudyScore& score) {
  Figure figure{.title = "Which row is coherent? Share of right answers",
                .x_title = "accuracy (0.5: guessing)"};
  Series points{.label = "accuracy", .points = true};
  Series low{.label = "95 % of a bootstrap: lower end", .points = true};
  Series high{.label = "upper end", .points = true};
  for (std::size_t i = 0; i < score.groups.size(); ++i) {
    const StudyGroup& one = score.groups[i];
    figure.y_names.push_back(one.tap + ", " + one.basis);
    for (const auto& [series, value] :
         {std::pair{&points, one.accuracy}, {&low, one.low}, {&high, one.high}}) {
      series->x.push_back(value);
      series->y.push_back(static_cast<double>(i));
    }
  }
  figure.series = {std::move(points), std::move(low), std::move(high)};
  return figure;
}

}  // namespace

StudyScore score_study(const fs::path& folder, const std::vector<std::string>& excluded) {
  const StudyKey key = read_study_key(folder);
  std::error_code ignored;
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder / "answers", ignored)) {
    if (entry.path().extension() != ".json") {
      throw Error({"not a file of answers", entry.path().string(), "a name that ends in .json",
                   "'" + entry.path().filename().string() + "'"});
    }
    files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  CollectedAnswers collected(key);
  if (AnswerStore::is_in(folder)) collected.add_served(folder);
  for (const fs::path& file : files) collected.add_file(file);
  std::vector<StudyAnswer> answers = collected.sorted();
  for (const std::string& participant : excluded) {
    const auto count = std::erase_if(
        answers, [&](const StudyAnswer& one) { return one.participant == participant; });
    if (count == 0)
      throw Error(
          {"no such participant", "--exclude", "one who answered", "'" + participant + "'"});
  }
  if (answers.empty()) {
    throw Error({"no answers", folder.string(),
                 "answers that 'study serve' received, or files of them in answers/", "none"});
  }
  StudyScore score = score_answers(answers, key.seed);
  score.left_out = collected.left_out();
  score.questions = std::ssize(key.trials);
  write_file(folder / "score.json", write_json(score_json(score), "score.json"));
  write_file(folder / "answers.csv", to_csv(answers_table(answers)));
  if (can_draw()) write_svg(accuracy_figure(score), folder / "accuracy.svg");
  return score;
}

}  // namespace descramble
