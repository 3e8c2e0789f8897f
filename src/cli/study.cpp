#include "descramble/report/study.h"

#include <ostream>

#include <fmt/format.h>

#include "cli/commands.h"

namespace descramble {

int study_make_command(const StudyMakeOptions& options, std::ostream& out) {
  const std::int64_t questions = make_study(
      options.run, options.out,
      {.control = options.control == "random" ? StudyControl::random : StudyControl::shuffled,
       .seed = options.seed,
       .force = options.force});
  out << fmt::format(
      "{}  {} questions; open {} in a browser, and put the files of answers into {}\n",
      options.out.string(), questions, (options.out / "index.html").string(),
      (options.out / "answers").string());
  return 0;
}

int study_score_command(const std::filesystem::path& folder, std::ostream& out) {
  const StudyScore score = score_study(folder);
  out << fmt::format("{} participant{}; attention checks {} of {} right\n", score.participants,
                     score.participants == 1 ? "" : "s", score.checks_right, score.checks);
  const auto error = [](const std::optional<double>& value) {
    return value ? fmt::format("{:.3f}", *value) : std::string("none");
  };
  for (const StudyGroup& one : score.groups) {
    out << fmt::format(
        "{}, {}: {} of {} right, accuracy {:.3f}, standard error {} over vectors, {} over "
        "participants, 95 % {:.3f} to {:.3f}\n",
        one.tap, one.basis, one.right, one.answers, one.accuracy, error(one.error_vectors),
        error(one.error_participants), one.low, one.high);
  }
  for (const StudyComparison& one : score.comparisons) {
    out << fmt::format("{}: {} - {} = {:+.3f} over {} participants, exact p {:.3g}\n", one.tap,
                       one.first, one.second, one.difference, one.participants, one.p_value);
  }
  return 0;
}

}  // namespace descramble
