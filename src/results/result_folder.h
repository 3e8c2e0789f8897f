#pragma once

#include <chrono>
#include <filesystem>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "descramble/analysis/check_samples.h"
#include "descramble/core/files.h"
#include "descramble/core/safetensors.h"
#include "results/table.h"

namespace descramble {

/// Wall seconds and peak memory of each part of a run, for timings.json.
class Stopwatch {
 public:
  /// Ends a part; its seconds.
  double lap(const std::string& what);
  nlohmann::json json_value() const { return {{"schema_version", 1}, {"laps", laps_}}; }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  nlohmann::json laps_ = nlohmann::json::array();
};

/// A result folder under construction.
class ResultFolder {
 public:
  /// @throws Error as AtomicFolder does
  ResultFolder(const std::filesystem::path& out, bool force);

  /// The place for a file; `finish` hashes model.pt and the files that were added below.
  std::filesystem::path file(const std::string& name) const { return folder_.path() / name; }

  /// `<name>.csv`. If a table of this name exists already, the rows are added to it.
  /// @throws Failure when its columns are different
  void add_table(const Table& table);
  /// `<name>.jsonl`: one JSON value a line. @throws Failure for a number that is not finite
  void add_lines(const std::string& name, const std::vector<nlohmann::json>& lines);
  void add_warning(const std::string& warning) { warnings_.push_back(warning); }
  /// `<name>.svg`, and its numbers in figures.json. If figures cannot be drawn, a warning is added
  /// instead of the former.
  void add_figure(const std::string& name, const Drawing& figure);

  /// What a reader of the result should know of the folder itself.
  const std::vector<std::string>& warnings() const { return warnings_; }

  /// Writes everything and puts the folder in place. Hashes of the other files go into result.json,
  /// so that one changed byte is noticed.
  void finish(nlohmann::json result, const NamedTensors& tensors, const nlohmann::json& timings);

 private:
  void add_file(const std::string& name, const std::string& bytes);

  AtomicFolder folder_;
  std::vector<Table> tables_{};
  std::vector<std::string> added_{};
  std::vector<std::string> warnings_{};
  nlohmann::json figures_ = nlohmann::json::object();
};

/// Whether a result.json is one of ours.
bool is_result_file(const std::filesystem::path& file);

/// The check samples and the model's logits for them, as `verify` reads them.
void add_check_tensors(const CheckSamples& check, NamedTensors& tensors);

}  // namespace descramble
