#include <ostream>

#include <fmt/format.h>

#include "cli/commands.h"
#include "descramble/core/error.h"
#include "descramble/core/json.h"
#include "descramble/results/verify.h"
#include "experiment/config.h"
#include "experiment/run.h"

namespace descramble {

int check_command(const RunOptions& options, std::ostream& out) {
  out << write_json(load_config(options.config, options.assignments).resolved,
                    options.config.string());
  return 0;
}

int run_command(const RunOptions& options, Progress& progress) {
  run_experiment(load_config(options.config, options.assignments), options.out, options.force,
                 progress);
  return 0;
}

int train_command(const RunOptions& options, Progress& progress) {
  run_training(load_config(options.config, options.assignments), options.out, options.force,
               progress);
  return 0;
}

int verify_command(const std::filesystem::path& folder, const std::filesystem::path& model,
                   std::ostream& out, std::ostream& err) {
  std::size_t failed = 0;
  const std::vector<Check> checks = verify_result(folder, model);
  for (const Check& check : checks) {
    const bool fails = check.outcome == Check::Outcome::fails;
    const char* word = fails ? "FAILED" : check.outcome == Check::Outcome::holds ? "ok" : "skipped";
    out << fmt::format("{:<7} {}: {}\n", word, check.what, check.detail);
    failed += fails ? 1 : 0;
  }
  if (failed == 0) return 0;
  err << fmt::format("descramble: the certificate does not hold ({}): {} of {} checks failed\n",
                     folder.string(), failed, checks.size());
  return 1;
}

}  // namespace descramble
