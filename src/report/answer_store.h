#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "report/study_answer.h"

namespace descramble {

/// The answers that a served study has received: an SQLite file in which every answer is a
/// transaction of its own. An answer that add() took survives a killed process and a power cut
/// (write-ahead log, synchronous FULL).
class AnswerStore {
 public:
  enum class Access { read, write };
  enum class Added { kept, there_already, other_answer_there };

  /// Opens answers.sqlite in the folder of a study; with `write` makes it if it is not there.
  /// @throws Error for a file that is damaged, has answers to another study, or cannot be written
  AnswerStore(const std::filesystem::path& folder, const std::string& study, Access access);
  ~AnswerStore();
  AnswerStore(const AnswerStore&) = delete;
  AnswerStore& operator=(const AnswerStore&) = delete;

  /// The secret part of the study's link, random, made with the file.
  const std::string& token() const { return token_; }

  /// A participant answers a question once: the first answer stays.
  /// @throws Failure if it cannot be written, for example on a full disk; nothing is kept then
  Added add(const GivenAnswer& answer);

  /// In the order in which they came.
  std::vector<GivenAnswer> answers() const;
  std::int64_t answer_count() const;
  std::int64_t participant_count() const;
  bool knows(const std::string& participant) const;

  /// Whether answers can be there. A server that was killed before it began leaves an empty file.
  static bool is_in(const std::filesystem::path& folder);
  static std::filesystem::path file_in(const std::filesystem::path& folder);

 private:
  class Database;
  std::unique_ptr<Database> database_;
  std::string token_{};
};

}  // namespace descramble
