#include "descramble/core/allocator.h"

#include <cstdlib>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace descramble {

void keep_freed_memory() {
#ifdef __GLIBC__
  // M_MMAP_THRESHOLD would not do: glibc takes no more than 32 MiB for it.
  ::mallopt(M_MMAP_MAX, 0);
  ::mallopt(M_TRIM_THRESHOLD, -1);
  ::mallopt(M_TOP_PAD, 64 << 20);
#endif
}

}  // namespace descramble
