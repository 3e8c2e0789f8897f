#pragma once

#include <cstdint>
#include <filesystem>
#include <iosfwd>
#include <optional>
#include <string>
#include <vector>

#include "descramble/core/progress.h"

namespace descramble {

/// The arguments of the commands. Each command returns an exit code and throws the exceptions of
/// the library.
struct TapsOptions {
  std::filesystem::path model{};
  std::vector<std::string> inputs{};
  std::string method = "forward";
  bool as_json = false;
};
int list_command(const TapsOptions& options, std::ostream& out);

struct InitOptions {
  std::filesystem::path model{};
  std::vector<std::string> inputs{};
  std::string method = "forward";
  std::optional<std::filesystem::path> data{};
};
int init_command(const InitOptions& options, std::ostream& out, std::ostream& err);

struct RunOptions {
  std::filesystem::path config{};
  std::filesystem::path out{};
  std::vector<std::string> assignments{};
  bool force = false;
  bool quiet = false;
};
int check_command(const RunOptions& options, std::ostream& out);
int run_command(const RunOptions& options, Progress& progress);
int train_command(const RunOptions& options, Progress& progress);

int verify_command(const std::filesystem::path& folder, const std::filesystem::path& model,
                   std::ostream& out, std::ostream& err);

struct DataOptions {
  std::string kind{};
  std::filesystem::path out{};
  std::int64_t train = 6000;
  std::int64_t test = 1000;
  std::uint64_t seed = 1;
  std::vector<std::string> assignments{};
  bool force = false;
};
int data_command(const DataOptions& options, Progress& progress);

struct ShowOptions {
  std::filesystem::path file{};  ///< a safetensors file, or a result folder
  std::string name{};            ///< a tensor; empty: lists them
  std::filesystem::path out{};
  bool force = false;
};
int show_command(const ShowOptions& options, std::ostream& out);

struct CompareOptions {
  std::vector<std::filesystem::path> folders{};
  std::string answer{};  ///< of a step `read`; empty: lists them
  std::filesystem::path out{};
  bool force = false;
};
int compare_command(const CompareOptions& options, std::ostream& out);

struct ReportOptions {
  std::vector<std::filesystem::path> folders{};
  std::filesystem::path out{};
  bool force = false;
};
int report_command(const ReportOptions& options, std::ostream& out);

struct StudyMakeOptions {
  std::filesystem::path run{};
  std::filesystem::path out{};
  std::string control = "shuffled";
  std::uint64_t seed = 1;
  bool force = false;
};
int study_make_command(const StudyMakeOptions& options, std::ostream& out);
struct StudyServeOptions {
  std::filesystem::path folder{};
  std::string address = "127.0.0.1";
  std::int64_t port = 8080;
  std::string host{};
};
int study_serve_command(const StudyServeOptions& options, std::ostream& out, std::ostream& err);
struct StudyScoreOptions {
  std::filesystem::path folder{};
  std::vector<std::string> excluded{};
};
int study_score_command(const StudyScoreOptions& options, std::ostream& out);

int kinds_command(const std::string& name, bool as_schema, std::ostream& out);

}  // namespace descramble
