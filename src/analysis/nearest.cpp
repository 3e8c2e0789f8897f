#include "analysis/nearest.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>
#include <utility>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>

namespace descramble {

namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// The products of a batch may be this much off, relative to the sizes that went into them.
constexpr double screening = 1e-11;

}  // namespace

Ends::Ends(std::int64_t directions)
    : low_(static_cast<std::size_t>(directions), infinity),
      high_(static_cast<std::size_t>(directions), -infinity) {}

void Ends::add(const Lines& lines, const at::Tensor& rows) {
  if (rows.size(0) == 0) return;
  const at::Tensor projections = (rows - lines.centre).matmul(lines.directions);
  const at::Tensor low = std::get<0>(projections.min(0));
  const at::Tensor high = std::get<0>(projections.max(0));
  for (std::size_t i = 0; i < low_.size(); ++i) {
    const auto j = static_cast<std::int64_t>(i);
    low_[i] = std::min(low_[i], low[j].item<double>());
    high_[i] = std::max(high_[i], high[j].item<double>());
  }
}

NearestRows::NearestRows(Lines lines, std::int64_t count, Nearness nearness, Distinct distinct)
    : lines_(std::move(lines)),
      columns_(lines_.directions.t().contiguous()),
      count_(static_cast<std::size_t>(count)),
      nearness_(nearness),
      distinct_(distinct) {
  for (const std::vector<double>& places : lines_.places) found_.emplace_back(places.size());
}

bool NearestRows::Found::before(const Found& other) const {
  return std::tie(squared, neighbour.sample, neighbour.position) <
         std::tie(other.squared, other.neighbour.sample, other.neighbour.position);
}

NearestRows::Found NearestRows::measured(const double* row, std::size_t direction,
                                         double place) const {
  const std::int64_t d = columns_.size(1);
  const double* q = columns_.data_ptr<double>() + static_cast<std::int64_t>(direction) * d;
  const double* c = lines_.centre.data_ptr<double>();
  double z = 0;
  for (std::int64_t i = 0; i < d; ++i) z += q[i] * (row[i] - c[i]);
  double to_point = 0;
  double to_line = 0;
  for (std::int64_t i = 0; i < d; ++i) {
    const double from_point = row[i] - c[i] - place * q[i];
    const double from_line = row[i] - c[i] - z * q[i];
    to_point += from_point * from_point;
    to_line += from_line * from_line;
  }
  Found found{.squared = nearness_ == Nearness::space ? to_point : (z - place) * (z - place)};
  found.neighbour.projection = z;
  found.neighbour.distance = std::sqrt(found.squared);
  found.neighbour.off_line = std::sqrt(to_line);
  return found;
}

void NearestRows::keep(std::vector<Found>& list, const Found& found) const {
  if (distinct_ == Distinct::image) {
    const auto same = std::find_if(list.begin(), list.end(), [&](const Found& other) {
      return other.neighbour.sample == found.neighbour.sample;
    });
    if (same != list.end()) {
      if (!found.before(*same)) return;
      list.erase(same);
    }
  }
  const auto place = std::find_if(list.begin(), list.end(),
                                  [&](const Found& other) { return found.before(other); });
  list.insert(place, found);
  if (list.size() > count_) list.pop_back();
}

void NearestRows::search(std::size_t direction, std::size_t point, const double* rows,
                         const double* sizes, const double* projections,
                         const std::vector<std::int64_t>& numbers, std::int64_t positions,
                         std::int64_t first) {
  const double place = lines_.places[direction][point];
  const auto m = static_cast<std::int64_t>(lines_.places.size());
  const std::int64_t d = columns_.size(1);
  const auto n = static_cast<std::int64_t>(numbers.size());
  const auto squared = [&](std::int64_t i) {
    const double z = projections[i * m + static_cast<std::int64_t>(direction)];
    const double along = (z - place) * (z - place);
    return nearness_ == Nearness::direction ? along : std::max(0.0, sizes[i] - z * z) + along;
  };
  const auto slack = [&](std::int64_t i) { return screening * (sizes[i] + place * place); };
  std::vector<Found>& list = found_[direction][point];

  // Rows stand side by side at a point, or one of each sample does: then no row need be measured
  // that another one of its sample beats.
  const bool one_each = distinct_ == Distinct::image;
  const auto contender = [&](std::int64_t i) {
    return static_cast<std::size_t>(one_each ? numbers[static_cast<std::size_t>(i)] / positions
                                             : i);
  };
  std::vector<double> best(n > 0 ? contender(n - 1) + 1 : 0, infinity);
  for (std::int64_t i = 0; i < n; ++i) {
    double& one = best[contender(i)];
    one = std::min(one, squared(i) + slack(i));
  }
  // No row beyond this distance is among the nearest: there are enough nearer ones.
  double limit = infinity;
  if (best.size() >= count_) {
    std::vector<double> ordered = best;
    const auto last = ordered.begin() + static_cast<std::ptrdiff_t>(count_) - 1;
    std::nth_element(ordered.begin(), last, ordered.end());
    limit = *last;
  }
  if (list.size() == count_) limit = std::min(limit, list.back().squared);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t number = numbers[static_cast<std::size_t>(i)];
    const double lower = squared(i) - slack(i);
    if (!(lower <= limit)) continue;
    if (lower > best[contender(i)]) continue;
    Found found = measured(rows + i * d, direction, place);
    found.neighbour.sample = first + number / positions;
    found.neighbour.position = number % positions;
    if (list.size() < count_ || found.before(list.back())) keep(list, found);
  }
}

void NearestRows::add(const at::Tensor& rows, const std::vector<std::int64_t>& numbers,
                      std::int64_t positions, std::int64_t first) {
  if (numbers.empty()) return;
  const at::Tensor plain = rows.contiguous();
  const at::Tensor centred = plain - lines_.centre;
  const at::Tensor projections = centred.matmul(lines_.directions).contiguous();
  const at::Tensor sizes = centred.pow(2).sum(1).contiguous();
  std::vector<std::pair<std::size_t, std::size_t>> points;
  for (std::size_t i = 0; i < lines_.places.size(); ++i) {
    for (std::size_t j = 0; j < lines_.places[i].size(); ++j) points.emplace_back(i, j);
  }
  at::parallel_for(0, static_cast<std::int64_t>(points.size()), 1,
                   [&](std::int64_t begin, std::int64_t end) {
                     for (std::int64_t k = begin; k < end; ++k) {
                       const auto [direction, point] = points[static_cast<std::size_t>(k)];
                       search(direction, point, plain.data_ptr<double>(), sizes.data_ptr<double>(),
                              projections.data_ptr<double>(), numbers, positions, first);
                     }
                   });
}

std::vector<Neighbour> NearestRows::of(std::size_t direction, std::size_t point) const {
  std::vector<Neighbour> result;
  for (const Found& found : found_[direction][point]) result.push_back(found.neighbour);
  return result;
}

}  // namespace descramble
