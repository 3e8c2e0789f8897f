#include <iostream>

#include "descramble/cli/run.h"
#include "descramble/core/allocator.h"

int main(int count, char** values) {
  descramble::keep_freed_memory();
  return descramble::run({values + 1, values + count}, std::cout, std::cerr);
}
