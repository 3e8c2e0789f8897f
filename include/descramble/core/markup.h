#pragma once

#include "descramble/core/language.h"

#include <string>
#include <string_view>

namespace [[gnu::visibility("default")]] descramble {

/// A text as it may stand in HTML and SVG, between tags and in quotes: &, <, >, " and ' as
/// entities, other control characters than the end of a line as spaces.
std::string markup(std::string_view text);

}  // namespace descramble
