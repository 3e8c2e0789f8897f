#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "descramble/config/kind.h"
#include "descramble/config/settings.h"
#include "descramble/data/data_set.h"

namespace descramble {

/// What is known of a network when the data for it are guessed.
struct DataHints {
  std::vector<std::string> arguments{};  ///< that take tensors
  bool containers = false;               ///< one of them takes several
  std::int64_t side = 0;                 ///< of the pictures that it takes, in pixels; 0: unknown
};

/// The part of a config that opens some data, to start from, and what a person should know of the
/// guess.
struct SourceGuess {
  SourceGuess(Settings settings, std::vector<std::string> remarks = {})
      : source(std::move(settings)), notes(std::move(remarks)) {}

  Settings source;  ///< an object with a kind, or one with train and test
  std::vector<std::string> notes;
};

/// A kind of data source: its fields, and how it is opened once they are resolved.
struct SourceKind {
  KindInfo info{};
  std::shared_ptr<const DataSet> (*open)(const Settings& settings,
                                         const DataContext& context) = nullptr;
  /// What opens the data at `path`. Nothing where they are of another kind; absent: never guessed.
  std::optional<SourceGuess> (*guess)(const std::filesystem::path& path,
                                      const DataHints& hints) = nullptr;
};

/// Every kind in src/data/builtin.def.
const std::vector<SourceKind>& source_kinds();
const KindFamily& source_family();

/// What the first kind that knows `path` guesses. @throws Error where none does, or nothing is
/// there
SourceGuess guess_source(const std::filesystem::path& path, const DataHints& hints);

}  // namespace descramble
