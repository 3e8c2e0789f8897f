#include "descramble/report/study.h"

#include <algorithm>
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

namespace {

void print_participants(const StudyScore& score, std::ostream& out) {
  std::size_t width = 11;
  for (const StudyParticipant& one : score.participants)
    width = std::max(width, one.participant.size());
  out << fmt::format("{:<{}}  {:>7}  {:>5}  {:>16}  {:>14}\n", "participant", width, "answers",
                     "right", "attention checks", "median seconds");
  for (const StudyParticipant& one : score.participants) {
    const bool whole = one.answers + one.checks == score.questions;
    out << fmt::format("{:<{}}  {:>7}  {:>5}  {:>16}  {:>14.1f}{}\n", one.participant, width,
                       one.answers, one.right,
                       fmt::format("{} of {}", one.checks_right, one.checks), one.median_seconds,
                       whole ? "" : "  (not all questions)");
  }
}

void print_groups(const StudyScore& score, std::ostream& out) {
  const auto error = [](const std::optional<double>& value) {
    return value ? fmt::format("{:.3f}", *value) : std::string("-");
  };
  std::size_t taps = 3;
  std::size_t bases = 5;
  for (const StudyGroup& one : score.groups) {
    taps = std::max(taps, one.tap.size());
    bases = std::max(bases, one.basis.size());
  }
  out << fmt::format("{:<{}}  {:<{}}  {:>9}  {:>8}  {:>12}  {:>17}  {:>14}\n", "tap", taps, "basis",
                     bases, "right", "accuracy", "± by vectors", "± by participants", "95 %");
  for (const StudyGroup& one : score.groups) {
    out << fmt::format("{:<{}}  {:<{}}  {:>9}  {:>8.3f}  {:>12}  {:>17}  {:>14}\n", one.tap, taps,
                       one.basis, bases, fmt::format("{} of {}", one.right, one.answers),
                       one.accuracy, error(one.error_vectors), error(one.error_participants),
                       fmt::format("{:.3f} to {:.3f}", one.low, one.high));
  }
}

}  // namespace

int study_score_command(const StudyScoreOptions& options, std::ostream& out) {
  const StudyScore score = score_study(options.folder, options.excluded);
  if (score.left_out > 0) {
    out << fmt::format("{} answers of files are left out: the server has other ones\n",
                       score.left_out);
  }
  print_participants(score, out);
  print_groups(score, out);
  for (const StudyComparison& one : score.comparisons) {
    out << fmt::format("{}: {} - {} = {:+.3f} over {} participants, exact p {:.3g}\n", one.tap,
                       one.first, one.second, one.difference, one.participants, one.p_value);
  }
  return 0;
}

}  // namespace descramble
