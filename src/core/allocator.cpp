#include "descramble/core/allocator.h"

#include <cstdlib>
#include <cstring>
#include <initializer_list>

#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace descramble {

#ifdef __GLIBC__
namespace {

bool malloc_is_set_by_the_user() {
  for (const char* name : {"MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_",
                           "MALLOC_TOP_PAD_"}) {
    if (std::getenv(name) != nullptr) return true;
  }
  const char* tunables = std::getenv("GLIBC_TUNABLES");
  return tunables != nullptr && std::strstr(tunables, "glibc.malloc.") != nullptr;
}

}  // namespace
#endif

void keep_freed_memory() {
#ifdef __GLIBC__
  if (malloc_is_set_by_the_user()) return;
  // M_MMAP_THRESHOLD is not enough: glibc takes no more than 32 MiB for it.
  ::mallopt(M_MMAP_MAX, 0);
  ::mallopt(M_TRIM_THRESHOLD, -1);
  ::mallopt(M_TOP_PAD, 64 << 20);
#endif
}

}  // namespace descramble
