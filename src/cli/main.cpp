#include <iostream>

#include "descramble/cli/run.h"

int main(int count, char** values) {
  return descramble::run({values + 1, values + count}, std::cout, std::cerr);
}
