#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "descramble/core/error.h"
#include "descramble/core/files.h"
#include "descramble/core/json.h"
#include "descramble/core/random.h"
#include "descramble/plot/figure.h"
#include "descramble/report/study.h"
#include "report/answer_store.h"
#include "report/study_answer.h"
#include "report/study_key.h"
#include "results/table.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// Right answers and answers, of one participant or one vector.
struct Count {
  std::int64_t right = 0;
  std::int64_t all = 0;

  double share() const { return static_cast<double>(right) / static_cast<double>(all); }
};

std::optional<double> standard_error(const std::vector<double>& shares) {
  const auto n = static_cast<double>(shares.size());
  if (shares.size() < 2) return std::nullopt;
  double mean = 0;
  for (const double one : shares) mean += one / n;
  double squares = 0;
  for (const double one : shares) squares += (one - mean) * (one - mean);
  return std::sqrt(squares / (n - 1) / n);
}

template <typename Key>
std::vector<double> shares_of(const std::map<Key, Count>& counts) {
  std::vector<double> shares;
  for (const auto& [key, count] : counts) shares.push_back(count.share());
  return shares;
}

/// 95 % of the accuracies of samples in which participants and vectors are drawn with replacement.
std::pair<double, double> bootstrap(const std::vector<const StudyAnswer*>& answers,
                                    RandomStream& random) {
  constexpr int draws = 2000;
  std::map<std::string, std::int64_t> participants;
  std::map<std::int64_t, std::int64_t> vectors;
  for (const StudyAnswer* one : answers) {
    participants.emplace(one->participant, std::ssize(participants));
    vectors.emplace(one->component, std::ssize(vectors));
  }
  std::vector<double> found;
  for (int draw = 0; draw < draws; ++draw) {
    const auto weights = [&random](std::size_t n) {
      std::vector<std::int64_t> result(n, 0);
      for (std::size_t i = 0; i < n; ++i)
        ++result[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(n)))];
      return result;
    };
    const std::vector<std::int64_t> by_participant = weights(participants.size());
    const std::vector<std::int64_t> by_vector = weights(vectors.size());
    std::int64_t right = 0;
    std::int64_t all = 0;
    for (const StudyAnswer* one : answers) {
      const std::int64_t weight =
          by_participant[static_cast<std::size_t>(participants[one->participant])] *
          by_vector[static_cast<std::size_t>(vectors[one->component])];
      all += weight;
      right += one->right ? weight : 0;
    }
    if (all > 0) found.push_back(static_cast<double>(right) / static_cast<double>(all));
  }
  std::sort(found.begin(), found.end());
  const auto at = [&](double share) {
    return found[static_cast<std::size_t>(share * static_cast<double>(found.size() - 1))];
  };
  return {at(0.025), at(0.975)};
}

/// Σ ±dᵢ over all choices of signs: the share whose size is at least that of Σ dᵢ, exactly.
double sign_flip_probability(const std::vector<std::int64_t>& differences) {
  std::map<std::int64_t, double> sums{{0, 1.0}};
  std::int64_t observed = 0;
  for (const std::int64_t one : differences) {
    std::map<std::int64_t, double> next;
    for (const auto& [sum, share] : sums) {
      next[sum + one] += share / 2;
      next[sum - one] += share / 2;
    }
    sums = std::move(next);
    observed += one;
  }
  double result = 0;
  for (const auto& [sum, share] : sums) result += std::abs(sum) >= std::abs(observed) ? share : 0;
  return std::min(1.0, result);
}

using Groups =
    std::vector<std::pair<std::pair<std::string, std::string>, std::vector<const StudyAnswer*>>>;

StudyComparison compared(const std::string& tap, const std::string& first,
                         const std::vector<const StudyAnswer*>& one, const std::string& second,
                         const std::vector<const StudyAnswer*>& other) {
  std::map<std::string, Count> a;
  std::map<std::string, Count> b;
  for (const auto& [from, to] : {std::pair{&one, &a}, {&other, &b}}) {
    for (const StudyAnswer* answer : *from) {
      Count& count = (*to)[answer->participant];
      ++count.all;
      count.right += answer->right ? 1 : 0;
    }
  }
  StudyComparison result{.tap = tap, .first = first, .second = second};
  std::vector<std::int64_t> differences;
  double sum = 0;
  for (const auto& [participant, count] : a) {
    const auto found = b.find(participant);
    if (found == b.end()) continue;
    // Counts are compared over a common number of answers.
    differences.push_back(count.right * found->second.all - found->second.right * count.all);
    sum += count.share() - found->second.share();
  }
  result.participants = std::ssize(differences);
  if (differences.empty()) return result;
  result.difference = sum / static_cast<double>(differences.size());
  result.p_value = sign_flip_probability(differences);
  return result;
}

double median(std::vector<double> values) {
  const std::size_t middle = values.size() / 2;
  std::sort(values.begin(), values.end());
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::vector<StudyParticipant> participants_in(const std::vector<StudyAnswer>& answers) {
  std::map<std::string, StudyParticipant> all;
  std::map<std::string, std::vector<double>> seconds;
  for (const StudyAnswer& one : answers) {
    StudyParticipant& own = all[one.participant];
    own.participant = one.participant;
    const bool check = one.basis == attention_check;
    ++(check ? own.checks : own.answers);
    (check ? own.checks_right : own.right) += one.right ? 1 : 0;
    seconds[one.participant].push_back(one.seconds);
  }
  std::vector<StudyParticipant> result;
  for (auto& [participant, own] : all) {
    own.median_seconds = median(seconds[participant]);
    result.push_back(own);
  }
  return result;
}

}  // namespace

StudyScore score_answers(const std::vector<StudyAnswer>& answers, std::uint64_t seed) {
  Groups groups;
  StudyScore score{.participants = participants_in(answers)};
  for (const StudyAnswer& one : answers) {
    if (one.basis == attention_check) continue;
    const std::pair key{one.tap, one.basis};
    const auto found = std::find_if(groups.begin(), groups.end(),
                                    [&](const auto& group) { return group.first == key; });
    if (found == groups.end()) {
      groups.push_back({key, {&one}});
    } else {
      found->second.push_back(&one);
    }
  }
  if (groups.empty()) throw Error({"nothing to score", "answers", "at least one answer", "none"});
  for (const auto& [key, own] : groups) {
    StudyGroup group{.tap = key.first, .basis = key.second, .answers = std::ssize(own)};
    std::map<std::int64_t, Count> by_vector;
    std::map<std::string, Count> by_participant;
    for (const StudyAnswer* one : own) {
      for (Count* count : {&by_vector[one->component], &by_participant[one->participant]}) {
        ++count->all;
        count->right += one->right ? 1 : 0;
      }
      group.right += one->right ? 1 : 0;
    }
    group.accuracy = static_cast<double>(group.right) / static_cast<double>(group.answers);
    group.error_vectors = standard_error(shares_of(by_vector));
    group.error_participants = standard_error(shares_of(by_participant));
    RandomStream random = random_stream(seed, "study/" + group.tap + "/" + group.basis);
    std::tie(group.low, group.high) = bootstrap(own, random);
    score.groups.push_back(std::move(group));
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (std::size_t j = i + 1; j < groups.size(); ++j) {
      if (groups[i].first.first != groups[j].first.first) continue;
      score.comparisons.push_back(compared(groups[i].first.first, groups[i].first.second,
                                           groups[i].second, groups[j].first.second,
                                           groups[j].second));
    }
  }
  return score;
}

namespace {

json or_none(const std::optional<double>& value) {
  return value ? json(*value) : json();
}

json score_json(const StudyScore& score) {
  json groups = json::array();
  for (const StudyGroup& one : score.groups) {
    groups.push_back({{"tap", one.tap},
                      {"basis", one.basis},
                      {"answers", one.answers},
                      {"right", one.right},
                      {"accuracy", one.accuracy},
                      {"standard_error_vectors", or_none(one.error_vectors)},
                      {"standard_error_participants", or_none(one.error_participants)},
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

/// Answers by question and participant: each participant answers a question once.
class Collected {
 public:
  explicit Collected(const StudyKey& key) : key_(key) {}

  /// Of the server, which takes one answer to a question.
  void add_served(const GivenAnswer& answer) {
    given_.emplace(std::pair{answer.participant, answer.trial}, Given{answer, ""});
    answers_.push_back(judged(answer, key_));
  }

  /// Of a file. The server's answer stays where it has one: a page that could not send all its
  /// answers saves all of them. @throws Error for a question answered twice in files
  void add(const GivenAnswer& answer, const std::string& file) {
    const auto [found, fresh] =
        given_.emplace(std::pair{answer.participant, answer.trial}, Given{answer, file});
    if (fresh) {
      answers_.push_back(judged(answer, key_));
      return;
    }
    const Given& first = found->second;
    if (first.file.empty()) {
      left_out_ += first.answer.chosen == answer.chosen ? 0 : 1;
      return;
    }
    if (first.answer == answer && first.file != file) return;  // a copy of that file
    throw Error({"a question answered twice", file, "one answer of each participant",
                 "'" + answer.participant + "', '" + answer.trial + "'"});
  }

  /// Answers of files to questions that the server has another answer to.
  std::int64_t left_out() const { return left_out_; }

  /// One file of answers. @throws Error naming it
  void add_file(const fs::path& file) {
    const json given = read_json(file);
    const auto refuse = [&](const std::string& what, const std::string& expected,
                            const std::string& found) {
      throw Error({what, file.string(), expected, found});
    };
    if (!given.is_object() || !given.contains("study") || !given.contains("participant") ||
        !given.contains("answers") || !given["answers"].is_array()) {
      refuse("not a file of answers", "study, participant and answers", "something else");
    }
    if (given["study"] != key_.study)
      refuse("answers to another study", "'" + key_.study + "'", given["study"].dump());
    const std::string participant =
        given["participant"].is_string() ? given["participant"].get<std::string>() : "";
    if (participant.empty()) refuse("no participant", "a text", given["participant"].dump());
    for (const json& one : given["answers"])
      add(read_answer(one, participant, key_, file.string()), file.string());
  }

  /// In the order of the questions.
  std::vector<StudyAnswer> sorted() {
    const auto number = [&](const StudyAnswer& one) { return key_.trials.at(one.trial).number; };
    std::stable_sort(answers_.begin(), answers_.end(), [&](const auto& one, const auto& other) {
      return number(one) < number(other);
    });
    return answers_;
  }

 private:
  struct Given {
    GivenAnswer answer{};
    std::string file{};  ///< empty: the server
  };
  const StudyKey& key_;
  std::map<std::pair<std::string, std::string>, Given> given_{};
  std::vector<StudyAnswer> answers_{};
  std::int64_t left_out_ = 0;
};

void add_served(const fs::path& folder, const StudyKey& key, Collected& collected) {
  const std::string file = AnswerStore::file_in(folder).string();
  const AnswerStore store(folder, key.study, AnswerStore::Access::read);
  for (const GivenAnswer& answer : store.answers()) {
    const json as_page = {{"trial", answer.trial},
                          {"chosen", answer.chosen},
                          {"top", answer.top},
                          {"seconds", answer.seconds}};
    collected.add_served(read_answer(as_page, answer.participant, key, file));
  }
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
  Collected collected(key);
  // A server that was killed before it began leaves an empty file.
  const std::uintmax_t size = fs::file_size(AnswerStore::file_in(folder), ignored);
  if (!ignored && size > 0) add_served(folder, key, collected);
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
