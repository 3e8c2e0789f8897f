#pragma once

#include "descramble/core/language.h"

#include <string>
#include <string_view>

namespace [[gnu::visibility("default")]] descramble {

/// RFC 4648, with padding and without line breaks.
std::string base64(std::string_view bytes);

/// The bytes of such a text. @throws Error for any other
std::string from_base64(std::string_view text);

}  // namespace descramble
