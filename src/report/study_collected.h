#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "report/study_answer.h"

namespace descramble {

/// The answers to a study, of its server and of files. A participant answers a question once.
class CollectedAnswers {
 public:
  explicit CollectedAnswers(const StudyKey& key) : key_(key) {}

  /// Those that the server has received. @throws Error for a damaged file of answers
  void add_served(const std::filesystem::path& folder);

  /// One file of answers. The server's answer stays where it has one: a page that could not send
  /// all its answers saves all of them. @throws Error naming the file, also for a question answered
  /// twice in files
  void add_file(const std::filesystem::path& file);

  /// Answers of files to questions that the server has another answer to.
  std::int64_t left_out() const { return left_out_; }

  /// In the order of the questions.
  std::vector<StudyAnswer> sorted() const;

 private:
  struct Given {
    GivenAnswer answer{};
    std::string file{};  ///< empty: the server
  };
  void add(const GivenAnswer& answer, const std::string& file);

  const StudyKey& key_;
  std::map<std::pair<std::string, std::string>, Given> given_{};
  std::vector<StudyAnswer> answers_{};
  std::int64_t left_out_ = 0;
};

}  // namespace descramble
