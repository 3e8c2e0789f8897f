#include "report/answer_store.h"

#include <array>

#include <fmt/format.h>
#include <openssl/rand.h>
#include <sqlite3.h>

#include "descramble/core/error.h"

namespace descramble {

namespace fs = std::filesystem;

bool AnswerStore::is_in(const fs::path& folder) {
  std::error_code none;
  const std::uintmax_t size = fs::file_size(file_in(folder), none);
  return !none && size > 0;
}

fs::path AnswerStore::file_in(const fs::path& folder) {
  return folder / "answers.sqlite";
}

namespace {

std::string random_token() {
  std::array<unsigned char, 16> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    throw Failure(Complaint{"this system gives no random numbers for the link of the study"});
  std::string token;
  for (const unsigned char byte : bytes) token += fmt::format("{:02x}", byte);
  return token;
}

/// One prepared statement, used once.
class Statement {
 public:
  Statement(sqlite3* database, const char* text) : database_(database) {
    check(sqlite3_prepare_v2(database, text, -1, &statement_, nullptr));
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(int at, const std::string& text) {
    check(sqlite3_bind_text(statement_, at, text.data(), static_cast<int>(text.size()),
                            SQLITE_TRANSIENT));
    return *this;
  }
  Statement& bind(int at, double number) {
    check(sqlite3_bind_double(statement_, at, number));
    return *this;
  }

  /// True while there is a row. @throws Failure with SQLite's words
  bool step() {
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code != SQLITE_DONE) check(code);
    return false;
  }
  std::string text(int column) const {
    const auto* data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return data == nullptr ? std::string() : std::string(data);
  }
  double real(int column) const { return sqlite3_column_double(statement_, column); }
  std::int64_t integer(int column) const { return sqlite3_column_int64(statement_, column); }

 private:
  void check(int code) const {
    if (code != SQLITE_OK) throw Failure(Complaint{sqlite3_errmsg(database_)});
  }

  sqlite3* database_;
  sqlite3_stmt* statement_ = nullptr;
};

}  // namespace

class AnswerStore::Database {
 public:
  Database(const fs::path& file, Access access) {
    // Without the right to write SQLite opens the file to read. With it, the last one to close the
    // file removes the files beside it.
    const int flags = access == Access::write ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE
                                              : SQLITE_OPEN_READWRITE;
    if (sqlite3_open_v2(file.c_str(), &handle_, flags, nullptr) != SQLITE_OK) {
      const std::string why = handle_ == nullptr ? "out of memory" : sqlite3_errmsg(handle_);
      sqlite3_close(handle_);
      throw Error({"the answers cannot be opened", file.string(), "a file of this study", why});
    }
    constexpr int patience_ms = 5000;  // while another program reads or writes
    sqlite3_busy_timeout(handle_, patience_ms);
  }
  ~Database() { sqlite3_close(handle_); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  Statement prepare(const char* text) const { return {handle_, text}; }
  void run(const char* text) const {
    Statement statement(handle_, text);
    while (statement.step()) continue;
  }
  /// The first value of the first row.
  std::string text(const char* query) const {
    Statement statement(handle_, query);
    statement.step();
    return statement.text(0);
  }
  int changes() const { return sqlite3_changes(handle_); }

 private:
  sqlite3* handle_ = nullptr;
};

AnswerStore::AnswerStore(const fs::path& folder, const std::string& study, Access access)
    : database_(std::make_unique<Database>(file_in(folder), access)) {
  std::string whose;
  try {
    const std::string found = database_->text("PRAGMA integrity_check(1)");
    if (found != "ok") throw Failure(Complaint{found});
    if (access == Access::write) {
      database_->run("PRAGMA journal_mode = WAL");
      database_->run("PRAGMA synchronous = FULL");
      database_->run("BEGIN IMMEDIATE");
      database_->run("CREATE TABLE IF NOT EXISTS study(id TEXT NOT NULL, token TEXT NOT NULL)");
      database_->run(
          "CREATE TABLE IF NOT EXISTS answers(number INTEGER PRIMARY KEY, session TEXT NOT NULL, "
          "trial TEXT NOT NULL, chosen TEXT NOT NULL, top INTEGER NOT NULL, seconds REAL NOT NULL, "
          "UNIQUE(session, trial))");
      Statement fresh = database_->prepare(
          "INSERT INTO study SELECT ?1, ?2 WHERE NOT EXISTS (SELECT * FROM study)");
      fresh.bind(1, study).bind(2, random_token()).step();
      database_->run("COMMIT");
    }
    Statement known = database_->prepare("SELECT id, token FROM study");
    known.step();
    whose = known.text(0);
    token_ = known.text(1);
  } catch (const Failure& failure) {
    throw Error({"the answers cannot be read", file_in(folder).string(),
                 "a whole SQLite file of this study", failure.what()});
  }
  if (whose != study) {
    throw Error({"answers to another study", file_in(folder).string(), "'" + study + "'",
                 "'" + whose + "'"});
  }
}

AnswerStore::~AnswerStore() = default;

AnswerStore::Added AnswerStore::add(const GivenAnswer& answer) {
  // A single statement is a transaction: step() returns after the commit is on the disk.
  database_
      ->prepare(
          "INSERT INTO answers(session, trial, chosen, top, seconds) VALUES (?1, ?2, ?3, ?4, ?5) "
          "ON CONFLICT(session, trial) DO NOTHING")
      .bind(1, answer.participant)
      .bind(2, answer.trial)
      .bind(3, answer.chosen)
      .bind(4, answer.top ? 1.0 : 0.0)
      .bind(5, answer.seconds)
      .step();
  if (database_->changes() == 1) return Added::kept;
  Statement found =
      database_->prepare("SELECT chosen FROM answers WHERE session = ?1 AND trial = ?2");
  found.bind(1, answer.participant).bind(2, answer.trial).step();
  return found.text(0) == answer.chosen ? Added::there_already : Added::other_answer_there;
}

std::vector<GivenAnswer> AnswerStore::answers() const {
  Statement rows = database_->prepare(
      "SELECT session, trial, chosen, top, seconds FROM answers ORDER BY number");
  std::vector<GivenAnswer> result;
  while (rows.step()) {
    result.push_back({.participant = rows.text(0),
                      .trial = rows.text(1),
                      .chosen = rows.text(2),
                      .top = rows.integer(3) != 0,
                      .seconds = rows.real(4)});
  }
  return result;
}

std::int64_t AnswerStore::answer_count() const {
  Statement count = database_->prepare("SELECT COUNT(*) FROM answers");
  count.step();
  return count.integer(0);
}

std::int64_t AnswerStore::participant_count() const {
  Statement count = database_->prepare("SELECT COUNT(DISTINCT session) FROM answers");
  count.step();
  return count.integer(0);
}

bool AnswerStore::knows(const std::string& participant) const {
  return database_->prepare("SELECT 1 FROM answers WHERE session = ?1 LIMIT 1")
      .bind(1, participant)
      .step();
}

}  // namespace descramble
