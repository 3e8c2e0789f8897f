#include "analysis/tap_bases.h"

#include <algorithm>
#include <set>
#include <string>

#include <fmt/format.h>

namespace descramble {

namespace {

std::string free_label(const std::string& label, std::set<std::string>& taken) {
  std::string result = label;
  for (int number = 2; !taken.insert(result).second; ++number)
    result = fmt::format("{} ({})", label, number);
  return result;
}

void add_new(const std::vector<InputFile>& found, std::vector<InputFile>& files) {
  for (const InputFile& file : found) {
    const bool known = std::any_of(files.begin(), files.end(),
                                   [&](const InputFile& other) { return other.path == file.path; });
    if (!known) files.push_back(file);
  }
}

}  // namespace

std::vector<BasisDraws> tap_bases(const std::vector<BasisChoice>& choices,
                                  const TapMoments& measured, std::uint64_t seed,
                                  const std::function<void(const VisitRows& visit)>& visit_rows,
                                  std::vector<InputFile>& files) {
  std::vector<BasisDraws> bases;
  std::set<std::string> labels;
  for (std::size_t i = 0; i < choices.size(); ++i) {
    bases.push_back(choices[i]({.moments = measured.moments,
                                .tap = measured.space.name,
                                .seed = seed,
                                .pointer = fmt::format("/bases/{}", i),
                                .for_each_rows = visit_rows}));
    bases.back().label = free_label(bases.back().label, labels);
    add_new(bases.back().files, files);
  }
  return bases;
}

}  // namespace descramble
