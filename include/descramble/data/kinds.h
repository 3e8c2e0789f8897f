#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "descramble/config/kind.h"
#include "descramble/config/settings.h"
#include "descramble/data/data_set.h"

namespace [[gnu::visibility("default")]] descramble {

/// What is known about a network when its data are guessed.
struct DataHints {
  std::vector<std::string> arguments{};  ///< names of the arguments that take tensors
  bool containers = false;               ///< one of the arguments takes several tensors
  std::int64_t side = 0;  ///< side of the pictures that it takes, in pixels; 0: unknown
};

/// A guess for the part of a config that opens some data, and what a person should know about the
/// guess.
struct SourceGuess {
  /// A guess with remarks for people.
  SourceGuess(Settings settings, std::vector<std::string> remarks = {})
      : source(std::move(settings)), notes(std::move(remarks)) {}

  Settings source;                 ///< an object with a kind, or one with train and test
  std::vector<std::string> notes;  ///< what a person should know, one sentence each
};

/// A file that a generated set was written to, and its content: "images", "labels", "tensors".
using WrittenFiles = std::vector<std::pair<std::string, std::string>>;

/// A kind of data source: its fields, and how it is opened once they are resolved.
struct SourceKind {
  KindInfo info{};  ///< its name, fields and summary
  /// Opens the source. @throws Error for missing, damaged or empty data
  std::shared_ptr<const DataSet> (*open)(const Settings& settings,
                                         const DataContext& context) = nullptr;
  /// Guesses the settings that open the data at `path`; returns nothing if the data are of another
  /// kind. Absent: this kind is never guessed.
  std::optional<SourceGuess> (*guess)(const std::filesystem::path& path,
                                      const DataHints& hints) = nullptr;
  /// Writes a generated set into `folder`, for `descramble data`. Absent: the kind is not
  /// generated.
  WrittenFiles (*write)(const DataSet& data, const std::filesystem::path& folder,
                        const std::string& split) = nullptr;
};

/// Every kind in src/data/builtin.def.
const std::vector<SourceKind>& source_kinds();
/// The kinds as configs, schema and documentation see them.
const KindFamily& source_family();

/// The guess of the first kind that knows `path`. @throws Error if no kind knows it, or if `path`
/// does not exist
SourceGuess guess_source(const std::filesystem::path& path, const DataHints& hints);

}  // namespace descramble
