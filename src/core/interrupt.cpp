#include "descramble/core/interrupt.h"

#include <atomic>
#include <csignal>
#include <iterator>

#include "descramble/core/error.h"

namespace descramble {

namespace {

std::atomic<bool> requested{false};

int scopes = 0;  // only the outermost scope installs handlers
constexpr int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
struct sigaction former[std::size(numbers)];

void on_signal(int number) {
  if (!requested.exchange(true)) return;
  // Each line to a closed pipe raises another SIGPIPE; folders must still be removed.
  if (number == SIGPIPE || number == SIGHUP) return;
  std::signal(number, SIG_DFL);
  std::raise(number);
}

}  // namespace

InterruptScope::InterruptScope() {
  if (scopes++ > 0) return;
  clear_interrupt();
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // writes in progress are not interrupted
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < std::size(numbers); ++i) {
    sigaction(numbers[i], nullptr, &former[i]);
    // A signal that the caller ignores (nohup) stays ignored.
    if (former[i].sa_handler != SIG_IGN || numbers[i] == SIGINT || numbers[i] == SIGTERM)
      sigaction(numbers[i], &action, nullptr);
  }
}

InterruptScope::~InterruptScope() {
  if (--scopes > 0) return;
  for (std::size_t i = 0; i < std::size(numbers); ++i) sigaction(numbers[i], &former[i], nullptr);
}

bool interrupt_requested() noexcept {
  return requested.load(std::memory_order_relaxed);
}

void check_interrupt() {
  if (interrupt_requested()) throw Interrupted();
}

void request_interrupt() noexcept {
  requested = true;
}
void clear_interrupt() noexcept {
  requested = false;
}

}  // namespace descramble
