#include "data/text_table.h"

#include <charconv>
#include <cstddef>
#include <system_error>

namespace descramble {

std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.push_back(line);
  }
  return lines;
}

std::optional<std::int64_t> integer_of(std::string_view field) {
  std::int64_t value = 0;
  const auto [stop, code] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (code != std::errc() || stop != field.data() + field.size()) return std::nullopt;
  return value;
}

}  // namespace descramble
