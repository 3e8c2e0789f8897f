#include "descramble/analysis/grid.h"

#include <algorithm>
#include <numeric>

namespace descramble {

namespace {

/// Evenly spread from 0 to d, with the middle; `points` ≥ 3 in all.
std::vector<std::int64_t> spread(std::int64_t points, std::int64_t d) {
  std::vector<std::int64_t> counts;
  if (points >= d + 1) {
    counts.resize(static_cast<std::size_t>(d) + 1);
    std::iota(counts.begin(), counts.end(), std::int64_t{0});
    return counts;
  }
  const std::int64_t left = (points + 1) / 2;  // on [0, d/2]; the rest on (d/2, d]
  const std::int64_t right = points - left;
  const std::int64_t middle = d / 2;
  for (std::int64_t i = 0; i < left; ++i) counts.push_back(middle * i / (left - 1));
  for (std::int64_t i = 1; i <= right; ++i) counts.push_back(middle + (d - middle) * i / right);
  counts.erase(std::unique(counts.begin(), counts.end()), counts.end());
  return counts;
}

}  // namespace

std::vector<std::int64_t> first_counts(const Grid& grid, std::int64_t d) {
  if (grid.kind == Grid::Kind::all) return spread(d + 1, d);
  const std::int64_t points = std::max<std::int64_t>(3, grid.points);
  if (grid.kind == Grid::Kind::linear || points > d) return spread(points, d);
  return spread(std::max<std::int64_t>(3, (points + 1) / 2), d);
}

std::vector<std::int64_t> further_counts(const Grid& grid, const std::vector<std::int64_t>& counts,
                                         const std::vector<double>& moved) {
  if (grid.kind != Grid::Kind::adaptive) return {};
  std::int64_t left = grid.points - static_cast<std::int64_t>(counts.size());
  // Each point goes into the stretch with the largest steps of accuracy, if accuracy changes evenly
  // along the stretch. Among equal stretches it goes into the one with the longest steps.
  std::vector<std::int64_t> parts(moved.size(), 1);
  const auto width = [&](std::size_t i) { return counts[i + 1] - counts[i]; };
  for (; left > 0; --left) {
    std::size_t best = moved.size();
    for (std::size_t i = 0; i < moved.size(); ++i) {
      if (parts[i] >= width(i)) continue;
      const auto key = [&](std::size_t j) {
        const auto n = static_cast<double>(parts[j]);
        return std::pair(moved[j] / n, static_cast<double>(width(j)) / n);
      };
      if (best == moved.size() || key(i) > key(best)) best = i;
    }
    if (best == moved.size()) break;
    ++parts[best];
  }
  std::vector<std::int64_t> result;
  for (std::size_t i = 0; i < moved.size(); ++i) {
    for (std::int64_t part = 1; part < parts[i]; ++part)
      result.push_back(counts[i] + width(i) * part / parts[i]);
  }
  return result;
}

}  // namespace descramble
