#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "descramble/config/kind.h"
#include "descramble/config/settings.h"
#include "descramble/data/data_set.h"

namespace descramble {

/// What is known of a network when the data for it are guessed.
struct DataHints {
  std::vector<std::string> arguments{};  ///< that take tensors
  std::int64_t side = 0;                 ///< of the pictures that it takes, in pixels; 0: unknown
};

/// A kind of data source: its fields, and how it is opened once they are resolved.
struct SourceKind {
  KindInfo info{};
  std::shared_ptr<const DataSet> (*open)(const Settings& settings,
                                         const DataContext& context) = nullptr;
  /// The part of a config that opens what lies at `path`, to start from: an object with a kind, or
  /// one with train and test. Nothing where that is no data of this kind; absent: never guessed.
  std::optional<Settings> (*guess)(const std::filesystem::path& path,
                                   const DataHints& hints) = nullptr;
};

/// Every kind in src/data/builtin.def.
const std::vector<SourceKind>& source_kinds();
const KindFamily& source_family();

/// What the first kind that knows `path` guesses. @throws Error where none does, or nothing is
/// there
Settings guess_source(const std::filesystem::path& path, const DataHints& hints);

}  // namespace descramble
