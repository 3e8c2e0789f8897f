#include "descramble/report/report.h"

#include <ostream>

#include <fmt/format.h>

#include "cli/commands.h"
#include "cli/output_file.h"
#include "descramble/core/error.h"
#include "descramble/core/files.h"

namespace descramble {

int report_command(const ReportOptions& options, std::ostream& out) {
  check_output_file(options.out, ".html", options.force);
  std::error_code ignored;
  if (std::filesystem::exists(options.out, ignored) && !is_report(read_file(options.out))) {
    throw Error({"another file is there", options.out.string(),
                 "a page of this command, which --force replaces", "something else"});
  }
  const std::string page = report_page(options.folders);
  write_file(options.out, page);
  out << fmt::format("{}  {} run{}, {:.1f} MB\n", options.out.string(), options.folders.size(),
                     options.folders.size() == 1 ? "" : "s",
                     static_cast<double>(page.size()) / 1e6);
  return 0;
}

}  // namespace descramble
