#include <filesystem>

#include "descramble/core/error.h"
#include "descramble/data/kinds.h"

namespace descramble {

SourceGuess guess_source(const std::filesystem::path& path, const DataHints& hints) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored))
    throw Error({"no data", path.string(), "a file or folder", "nothing"});
  for (const SourceKind& kind : source_kinds()) {
    if (kind.guess == nullptr) continue;
    if (std::optional<SourceGuess> guessed = kind.guess(path, hints)) return *std::move(guessed);
  }
  throw Error({"data of no known kind", path.string(),
               "a safetensors file, a folder of images, IDX files or a CSV file of digits",
               "something else"});
}

}  // namespace descramble
