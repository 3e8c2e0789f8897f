#include <descramble/descramble.h>

#include <iostream>

int main() { std::cout << descramble::version() << '\n'; }
