#include "descramble/core/error.h"

#include <algorithm>
#include <numeric>

namespace descramble {

namespace {

/// Length of the printable UTF-8 character at the front of `text`; 0: there is none.
std::size_t character_length(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  if (byte(0) < 0x80) return byte(0) >= 0x20 && byte(0) != 0x7f ? 1 : 0;
  const std::size_t length = byte(0) >= 0xf0 && byte(0) < 0xf5 ? 4
                             : byte(0) >= 0xe0                 ? 3
                             : byte(0) >= 0xc2                 ? 2
                                                               : 0;
  if (length == 0 || byte(0) >= 0xf5 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  const bool control = length == 2 && byte(0) == 0xc2 && byte(1) < 0xa0;  // C1
  // Too long for what they spell, surrogates, and beyond U+10FFFF.
  const bool no_character =
      (byte(0) == 0xe0 && byte(1) < 0xa0) || (byte(0) == 0xed && byte(1) >= 0xa0) ||
      (byte(0) == 0xf0 && byte(1) < 0x90) || (byte(0) == 0xf4 && byte(1) >= 0x90);
  // Line and paragraph separators, and characters that change the direction of writing.
  const bool turns = length == 3 && byte(0) == 0xe2 &&
                     ((byte(1) == 0x80 && byte(2) >= 0xa8 && byte(2) <= 0xae) ||
                      (byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9));
  return control || no_character || turns ? 0 : length;
}

/// At most about four lines of a terminal.
std::string cut(const std::string& text) {
  constexpr std::size_t most = 360;
  if (text.size() <= most) return text;
  std::size_t end = most;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + " ...";
}

}  // namespace

std::string printable(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string result;
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    if (length > 0) {
      result += text.substr(0, length);
    } else if (text[0] == '\n' || text[0] == '\t' || text[0] == '\r') {
      result += ' ';
    } else {
      const auto byte = static_cast<unsigned char>(text[0]);
      result += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
    }
    text.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return result;
}

std::string to_line(const Complaint& complaint) {
  std::string line = cut(complaint.what);
  if (!complaint.where.empty()) line += " (" + cut(complaint.where) + ")";
  if (!complaint.expected.empty()) line += ": expected " + cut(complaint.expected);
  if (!complaint.found.empty()) {
    line += complaint.expected.empty() ? ": found " : ", found ";
    line += cut(complaint.found);
  }
  // An error is one line for any text in it.
  return printable(line);
}

Error::Error(Complaint complaint)
    : Exception(to_line(complaint)), complaint_(std::move(complaint)) {}

namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::vector<std::string> nearest(std::string_view name, const std::vector<std::string>& candidates,
                                 std::size_t count) {
  std::vector<std::pair<double, std::size_t>> ranked;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    const std::string& candidate = candidates[i];
    double distance = static_cast<double>(edit_distance(name, candidate));
    if (!name.empty() && (candidate.find(name) != std::string::npos ||
                          (!candidate.empty() && name.find(candidate) != std::string::npos))) {
      distance = std::min(distance, 1.5);
    }
    ranked.emplace_back(distance, i);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::string> result;
  for (std::size_t i = 0; i < std::min(count, ranked.size()); ++i) {
    result.push_back(candidates[ranked[i].second]);
  }
  return result;
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "'" : ", '") + name + "'";
  return text;
}

std::string first_line(std::string_view text) {
  while (!text.empty() && (text.front() == '\n' || text.front() == ' ')) text.remove_prefix(1);
  std::string line(text.substr(0, text.find('\n')));
  // c10 appends "Exception raised from … (most recent call first)" on the same line in some builds.
  if (const auto at = line.find(" (Exception raised from"); at != std::string::npos)
    line.resize(at);
  return line;
}

}  // namespace descramble
