#pragma once

#include <string>
#include <string_view>

namespace descramble {

/// RFC 4648, with padding and without line breaks.
std::string base64(std::string_view bytes);

/// The bytes of such a text. @throws Error for any other
std::string from_base64(std::string_view text);

}  // namespace descramble
