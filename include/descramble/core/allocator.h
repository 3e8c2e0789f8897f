#pragma once

#include "descramble/core/language.h"

namespace [[gnu::visibility("default")]] descramble {

/// Makes malloc keep large blocks that are freed and use them again.
///
/// By default glibc maps each large block from the system and unmaps it when it is freed, and the
/// kernel clears every page of the next block. A pass over a network frees and allocates each
/// activation once per batch, so this takes a large part of the time. With this setting the process
/// keeps the memory of its highest point until it ends; the highest point itself hardly changes.
///
/// This is a setting of the whole process. The command calls it at the start of `main`; the library
/// never calls it. Does nothing with another C library, or if the environment already has settings
/// of glibc's malloc (`MALLOC_…_`, or glibc.malloc in `GLIBC_TUNABLES`).
void keep_freed_memory();

}  // namespace descramble
