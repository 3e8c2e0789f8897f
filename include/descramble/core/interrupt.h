#pragma once

#include "descramble/core/language.h"

namespace [[gnu::visibility("default")]] descramble {

/// Catches SIGINT and SIGTERM while alive. The first signal sets a flag that loops check; a second
/// signal ends the process at once. The end of the scope restores the former handlers. A scope
/// inside another scope does nothing.
class InterruptScope {
 public:
  /// Catches the signals from now on.
  InterruptScope();
  ~InterruptScope();
  InterruptScope(const InterruptScope&) = delete;
  InterruptScope& operator=(const InterruptScope&) = delete;
};

/// Whether the user asked to stop, since the last clear_interrupt.
bool interrupt_requested() noexcept;

/// Ends the work at hand if the user asked to stop.
/// @throws Interrupted if the user asked to stop
void check_interrupt();

/// Does the same as a signal; for tests and for hosts with their own handlers.
void request_interrupt() noexcept;
/// Forgets the request.
void clear_interrupt() noexcept;

}  // namespace descramble
