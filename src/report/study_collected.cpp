#include "report/study_collected.h"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "descramble/core/error.h"
#include "descramble/core/json.h"
#include "report/answer_store.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

void CollectedAnswers::add_served(const fs::path& folder) {
  const AnswerStore store(folder, key_.study, AnswerStore::Access::read);
  for (const GivenAnswer& answer : store.answers()) {
    check_answer(answer, key_, AnswerStore::file_in(folder).string(),
                 "'" + answer.trial + "', '" + answer.chosen + "'");
    add(answer, "");
  }
}

void CollectedAnswers::add(const GivenAnswer& answer, const std::string& file) {
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

void CollectedAnswers::add_file(const fs::path& file) {
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

std::vector<StudyAnswer> CollectedAnswers::sorted() const {
  std::vector<StudyAnswer> answers = answers_;
  const auto number = [&](const StudyAnswer& one) { return key_.trials.at(one.trial).number; };
  std::stable_sort(answers.begin(), answers.end(),
                   [&](const auto& one, const auto& other) { return number(one) < number(other); });
  return answers;
}

}  // namespace descramble
