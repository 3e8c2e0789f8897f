#include "cli/output_file.h"

#include "descramble/core/error.h"

namespace descramble {

namespace fs = std::filesystem;

void check_output_file(const fs::path& file, const char* ending, bool force) {
  if (file.extension() != ending) {
    throw Error({"nowhere to write", "--out", "a file that ends in " + std::string(ending),
                 file.empty() ? "none" : "'" + file.string() + "'"});
  }
  std::error_code ignored;
  if (fs::is_directory(file, ignored))
    throw Error({"nowhere to write", "--out", "a file", "the folder '" + file.string() + "'"});
  const fs::path folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
  if (!fs::is_directory(folder, ignored))
    throw Error({"no such folder", "--out", "a folder that exists", "'" + folder.string() + "'"});
  if (fs::exists(file, ignored) && !force)
    throw Error({"the file exists", file.string(), "a new file, or --force", "a file"});
}

}  // namespace descramble
