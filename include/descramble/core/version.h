#pragma once

#include <string>
#include <string_view>

namespace descramble {

/// Version of this library, "0.1.0".
std::string_view version();

/// Version of the LibTorch that this library was compiled with, "2.13.0".
std::string libtorch_version();

}  // namespace descramble
