#include <filesystem>
#include <iostream>

#include <descramble/descramble.h>

// Exceptions of the library are caught by their types, whichever kind of library throws them.
int main() {
  try {
    descramble::load_model(std::filesystem::path("no_such_model.pt"));
  } catch (const descramble::Error& error) {
    if (error.complaint().what.empty()) return 1;
    std::cout << descramble::version() << '\n';
    return 0;
  }
  return 1;
}
