#pragma once

namespace descramble {

/// Makes malloc keep large blocks that are freed and hand them out again.
///
/// By default glibc maps each large block from the system and unmaps it when it is freed, and the
/// kernel clears every page of the next one. A pass over a network frees and allocates each
/// activation once a batch, so a good part of the time goes into that. The process keeps the memory
/// of its highest point until it ends; the highest point itself hardly changes.
///
/// This is a setting of the whole process: the command calls it first thing in `main`, the library
/// never does. Does nothing with another C library, or where the environment already has settings of
/// glibc's malloc (`MALLOC_…_`, or glibc.malloc in `GLIBC_TUNABLES`).
void keep_freed_memory();

}  // namespace descramble
