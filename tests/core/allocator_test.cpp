#include "descramble/core/allocator.h"

#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include <gtest/gtest.h>

#ifdef __GLIBC__
#include <malloc.h>
#include <sys/resource.h>
#endif

namespace descramble::test {
namespace {

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)

long faults() {
  struct rusage usage {};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

/// Allocates, writes and frees a block of 256 MiB, `times` times.
void churn(int times) {
  constexpr std::size_t bytes = std::size_t{256} << 20;
  for (int i = 0; i < times; ++i) {
    void* block = std::malloc(bytes);
    ASSERT_NE(block, nullptr);
    std::memset(block, i, bytes);
    // The compiler may not drop the pair of malloc and free.
    asm volatile("" : : "r"(block) : "memory");
    std::free(block);
  }
}

TEST(FreedMemory, IsHandedOutAgainWithoutTheKernel) {
  for (const char* name : {"MALLOC_MMAP_MAX_", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_",
                           "MALLOC_TOP_PAD_", "GLIBC_TUNABLES"}) {
    ::unsetenv(name);
  }
  keep_freed_memory();
  churn(1);
  const long before = faults();
  churn(8);
  EXPECT_LT(faults() - before, 64) << "each block has 65536 pages";
  const auto mapped = ::mallinfo2().hblks;
  void* block = std::malloc(std::size_t{256} << 20);
  EXPECT_EQ(::mallinfo2().hblks, mapped) << "blocks that are mapped one by one";
  std::free(block);
}

#else

TEST(FreedMemory, IsLeftToOtherAllocators) {
  EXPECT_NO_THROW(keep_freed_memory());
}

#endif

}  // namespace
}  // namespace descramble::test
