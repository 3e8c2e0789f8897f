#include "data/label_table.h"

#include <charconv>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/core/files.h"

namespace descramble {

namespace {

/// The fields of one line; nothing if its quotes do not match.
std::optional<std::vector<std::string>> split(std::string_view line) {
  std::vector<std::string> fields{""};
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"' && quoted && i + 1 < line.size() && line[i + 1] == '"') {
      fields.back() += line[++i];
    } else if (c == '"' && (quoted || fields.back().empty())) {
      quoted = !quoted;
    } else if (c == ',' && !quoted) {
      fields.emplace_back();
    } else {
      fields.back() += c;
    }
  }
  if (quoted) return std::nullopt;
  return fields;
}

}  // namespace

std::vector<LabelledFile> read_label_table(const std::filesystem::path& table) {
  const std::string bytes = read_file(table);
  std::string_view rest = bytes;
  constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";
  if (rest.starts_with(byte_order_mark)) rest.remove_prefix(byte_order_mark.size());

  std::vector<LabelledFile> rows;
  for (std::int64_t number = 1; number == 1 || !rest.empty(); ++number) {
    const std::size_t end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const auto wrong = [&](const std::string& expected, std::string_view found) {
      return Error({"wrong line in the table of labels",
                    fmt::format("{}:{}", table.string(), number), expected,
                    fmt::format("'{}'", found.substr(0, 80))});
    };
    if (number == 1) {
      if (line != "file,label") throw wrong("the header 'file,label'", line);
      continue;
    }
    if (line.empty()) continue;
    const std::optional<std::vector<std::string>> fields = split(line);
    if (!fields || fields->size() != 2 || fields->front().empty())
      throw wrong("a file and a label", line);
    const std::string& text = fields->back();
    std::int64_t label = -1;
    const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), label);
    if (code != std::errc() || stop != text.data() + text.size() || label < 0) {
      throw wrong("an integer >= 0 as the label", text);
    }
    rows.push_back({fields->front(), label, number});
  }
  return rows;
}

}  // namespace descramble
