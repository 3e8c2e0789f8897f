#pragma once

#include "descramble/core/language.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <iosfwd>
#include <string>
#include <utility>

namespace [[gnu::visibility("default")]] descramble {

/// Shows the progress of a long piece of work: a bar on a terminal, at most one line every few
/// seconds elsewhere, nothing when quiet.
class Progress {
 public:
  /// What is shown.
  enum class Style {
    bar,    ///< a bar that is drawn over itself, for terminals
    lines,  ///< at most one line every five seconds
    quiet   ///< nothing
  };
  using Clock = std::chrono::steady_clock;  ///< the clock that says when to draw

  Progress() = default;  ///< quiet
  /// A quiet one for this thread, the default of functions that report progress.
  static Progress& none();
  /// `now` is the clock; tests give one that they move by hand.
  Progress(std::ostream& out, Style style, std::function<Clock::time_point()> now = Clock::now)
      : out_(&out), style_(style), now_(std::move(now)) {}

  /// Begins a task of `total` units; ends the previous task.
  void begin(std::string label, std::int64_t total);
  /// Counts further units of the task as finished, and draws if it is time to.
  void advance(std::int64_t units = 1);
  /// `done` units of the task are finished; the progress never goes back.
  void reach(std::int64_t done) { advance(std::max<std::int64_t>(0, done - done_)); }
  /// Ends the task and removes its bar.
  void end();
  /// Prints a line that stays (a result, an epoch); the bar is removed first.
  void say(const std::string& line);

  ~Progress() { end(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void draw();

  std::ostream* out_ = nullptr;
  Style style_ = Style::quiet;
  std::function<Clock::time_point()> now_ = Clock::now;
  std::string label_{};
  std::int64_t total_ = 0;
  std::int64_t done_ = 0;
  Clock::time_point begun_{};
  Clock::time_point drawn_{};
  bool active_ = false;
};

}  // namespace descramble
