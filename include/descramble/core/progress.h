#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <iosfwd>
#include <string>

namespace descramble {

/// Tells a person how far a long piece of work has come: a bar on a terminal, at most one line
/// every few seconds elsewhere, nothing when quiet.
class Progress {
 public:
  enum class Style { bar, lines, quiet };

  Progress() = default;  ///< quiet
  Progress(std::ostream& out, Style style) : out_(&out), style_(style) {}

  /// Begins a task of `total` units; ends the one before.
  void begin(std::string label, std::int64_t total);
  void advance(std::int64_t units = 1);
  /// `done` units of the task are behind it; it never goes back.
  void reach(std::int64_t done) { advance(std::max<std::int64_t>(0, done - done_)); }
  void end();
  /// A line that stays (a result, an epoch), with the bar moved out of its way.
  void say(const std::string& line);

  ~Progress() { end(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  void draw();

  std::ostream* out_ = nullptr;
  Style style_ = Style::quiet;
  std::string label_{};
  std::int64_t total_ = 0;
  std::int64_t done_ = 0;
  Clock::time_point begun_{};
  Clock::time_point drawn_{};
  bool active_ = false;
};

}  // namespace descramble
