#include "descramble/core/interrupt.h"

#include <atomic>
#include <csignal>

#include "descramble/core/error.h"

namespace descramble {

namespace {

std::atomic<bool> requested{false};

int scopes = 0;  // only the outermost scope installs handlers
struct sigaction former_interrupt;
struct sigaction former_terminate;

void on_signal(int number) {
  if (requested.exchange(true)) {
    std::signal(number, SIG_DFL);
    std::raise(number);
  }
}

}  // namespace

InterruptScope::InterruptScope() {
  if (scopes++ > 0) return;
  clear_interrupt();
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;  // writes under way are not cut short
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &former_interrupt);
  sigaction(SIGTERM, &action, &former_terminate);
}

InterruptScope::~InterruptScope() {
  if (--scopes > 0) return;
  sigaction(SIGINT, &former_interrupt, nullptr);
  sigaction(SIGTERM, &former_terminate, nullptr);
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
