#include "descramble/core/progress.h"

#include <algorithm>
#include <ostream>

#include <fmt/format.h>

namespace descramble {

Progress& Progress::none() {
  thread_local Progress quiet;
  return quiet;
}

void Progress::begin(std::string label, std::int64_t total) {
  end();
  label_ = std::move(label);
  total_ = std::max<std::int64_t>(total, 1);
  done_ = 0;
  begun_ = drawn_ = now_();
  active_ = true;
}

void Progress::advance(std::int64_t units) {
  if (!active_) return;
  done_ += units;
  if (style_ == Style::quiet) return;
  const auto since = now_() - drawn_;
  const auto pause =
      style_ == Style::bar ? std::chrono::milliseconds(100) : std::chrono::milliseconds(5000);
  if (since >= pause) draw();
}

void Progress::end() {
  if (!active_) return;
  active_ = false;
  if (style_ == Style::bar) *out_ << "\r\033[K" << std::flush;
}

void Progress::say(const std::string& line) {
  if (style_ == Style::quiet) return;
  if (style_ == Style::bar && active_) *out_ << "\r\033[K";
  *out_ << line << '\n' << std::flush;
}

void Progress::draw() {
  drawn_ = now_();
  const double seconds = std::chrono::duration<double>(drawn_ - begun_).count();
  const double share = std::min(1.0, static_cast<double>(done_) / static_cast<double>(total_));
  const double left = share > 0 ? seconds / share - seconds : 0;
  if (style_ == Style::bar) {
    constexpr int width = 28;
    const int filled = static_cast<int>(share * width);
    *out_ << fmt::format("\r\033[K{} [{}{}] {:3.0f} %  {:.0f} s left", label_,
                         std::string(static_cast<std::size_t>(filled), '='),
                         std::string(static_cast<std::size_t>(width - filled), ' '), 100 * share,
                         left)
          << std::flush;
  } else {
    *out_ << fmt::format("{}: {:.0f} %, {:.0f} s left\n", label_, 100 * share, left) << std::flush;
  }
}

}  // namespace descramble
