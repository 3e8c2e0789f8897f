#pragma once

namespace descramble {

/// Catches SIGINT and SIGTERM while alive: the first one sets a flag that loops ask for, a second
/// one ends the process at once. The former handlers come back at the end of the scope; a scope
/// inside another one does nothing.
class InterruptScope {
 public:
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
};

bool interrupt_requested() noexcept;

/// @throws Interrupted if the user asked to stop
void check_interrupt();

/// What a signal does; for tests and for hosts with handlers of their own.
void request_interrupt() noexcept;
void clear_interrupt() noexcept;

}  // namespace descramble
