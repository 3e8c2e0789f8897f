#include "descramble/core/error.h"

#include <algorithm>
#include <numeric>

namespace descramble {

std::string to_line(const Complaint& complaint) {
  std::string line = complaint.what;
  if (!complaint.where.empty()) line += " (" + complaint.where + ")";
  if (!complaint.expected.empty()) line += ": expected " + complaint.expected;
  if (!complaint.found.empty()) {
    line += complaint.expected.empty() ? ": found " : ", found ";
    line += complaint.found;
  }
  // An error is one line whatever the text that went into it.
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

Error::Error(Complaint complaint)
    : std::runtime_error(to_line(complaint)), complaint_(std::move(complaint)) {}

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
