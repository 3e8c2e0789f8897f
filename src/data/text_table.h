#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace descramble {

/// The lines of a text, without their ends (\n or \r\n). Text after the last end counts as a line
/// if it is not empty.
std::vector<std::string_view> lines_of(std::string_view text);

/// The integer in a field; nothing if the field is not an integer, or does not fit in 64 bits.
std::optional<std::int64_t> integer_of(std::string_view field);

}  // namespace descramble
