#include "data/label_table.h"

#include <cstddef>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "data/text_table.h"
#include "descramble/core/error.h"
#include "descramble/core/files.h"

namespace descramble {

namespace {

/// The fields of one line; nothing if its quotes do not match. Fields of a file of digits have
/// another form: they have no quotes, and blanks around them do not count.
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

  std::vector<std::string_view> lines = lines_of(rest);
  if (lines.empty()) lines.emplace_back();  // the header that an empty file lacks
  std::vector<LabelledFile> rows;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    const auto number = static_cast<std::int64_t>(i) + 1;
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
    const std::optional<std::int64_t> label = integer_of(fields->back());
    if (!label || *label < 0) throw wrong("an integer >= 0 as the label", fields->back());
    rows.push_back({fields->front(), *label, number});
  }
  return rows;
}

}  // namespace descramble
