#include "descramble/report/study.h"

#include <chrono>
#include <ostream>
#include <thread>

#include <fmt/format.h>

#include "cli/commands.h"
#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"
#include "descramble/report/study_server.h"

namespace descramble {

int study_make_command(const StudyMakeOptions& options, std::ostream& out) {
  const std::int64_t questions = make_study(
      options.run, options.out,
      {.control = options.control == "random" ? StudyControl::random : StudyControl::shuffled,
       .seed = options.seed,
       .force = options.force});
  out << fmt::format(
      "{0}  {1} questions; serve them with 'descramble study serve {0}', or give away {2} and put "
      "the files of answers into {3}\n",
      options.out.string(), questions, (options.out / "index.html").string(),
      (options.out / "answers").string());
  return 0;
}

int study_serve_command(const StudyServeOptions& options, std::ostream& out, std::ostream& err) {
  const InterruptScope interrupts;
  StudyServer server(
      options.folder,
      {.address = options.address,
       .port = static_cast<std::uint16_t>(options.port),
       .host = options.host},
      [&err](const std::string& why) {
        err << fmt::format(
                   "descramble: an answer could not be written, and the browser keeps it: {}",
                   printable(why))
            << std::endl;
      });
  const auto said = [&server] {
    const StudyServed served = server.served();
    return fmt::format("{} answer{} of {} participant{}", served.answers,
                       served.answers == 1 ? "" : "s", served.participants,
                       served.participants == 1 ? "" : "s");
  };
  // Whoever starts it in a script waits for this line.
  out << fmt::format("{}  {}; Ctrl-C ends the server\n{}", options.folder.string(), said(),
                     server.link())
      << std::endl;
  constexpr std::chrono::milliseconds pause(200);
  while (!interrupt_requested()) {
    std::this_thread::sleep_for(pause);
    server.tend();
  }
  out << fmt::format("{}  {}\n", options.folder.string(), said());
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
