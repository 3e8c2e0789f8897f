#include <iostream>

#include <descramble/descramble.h>

int main() {
  std::cout << descramble::version() << '\n';
}
