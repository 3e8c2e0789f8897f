#pragma once

#include "descramble/core/language.h"

#include <string>
#include <string_view>

namespace [[gnu::visibility("default")]] descramble {

/// Version of this library, "0.2.0".
std::string_view version();

/// Version of the LibTorch that this library was compiled with, "2.13.0".
std::string libtorch_version();

}  // namespace descramble
