#include "descramble/report/report.h"

#include <ostream>

#include <fmt/format.h>

#include "cli/commands.h"
#include "descramble/core/error.h"
#include "descramble/core/files.h"

namespace descramble {

namespace fs = std::filesystem;

int report_command(const ReportOptions& options, std::ostream& out) {
  std::error_code ignored;
  if (options.out.extension() != ".html") {
    throw Error({"nowhere to write", "--out", "a file that ends in .html",
                 options.out.empty() ? "none" : "'" + options.out.string() + "'"});
  }
  const fs::path folder = options.out.has_parent_path() ? options.out.parent_path() : fs::path(".");
  if (!fs::is_directory(folder, ignored))
    throw Error({"no such folder", "--out", "a folder that exists", "'" + folder.string() + "'"});
  if (fs::is_directory(options.out, ignored))
    throw Error(
        {"nowhere to write", "--out", "a file", "the folder '" + options.out.string() + "'"});
  if (fs::exists(options.out, ignored) && !options.force)
    throw Error({"the file exists", options.out.string(), "a new file, or --force", "a file"});
  const std::string page = report_page(options.folders);
  write_file(options.out, page);
  out << fmt::format("{}  {} run{}, {:.1f} MB\n", options.out.string(), options.folders.size(),
                     options.folders.size() == 1 ? "" : "s",
                     static_cast<double>(page.size()) / 1e6);
  return 0;
}

}  // namespace descramble
