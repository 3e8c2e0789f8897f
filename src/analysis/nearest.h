#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include "analysis/tap_rows.h"
#include "descramble/analysis/explore.h"

namespace descramble {

/// Directions of one tap, and points along each, whose nearest rows are sought.
struct Lines {
  at::Tensor centre{};                        ///< c, [d], float64
  at::Tensor directions{};                    ///< Q, [d, M], float64, orthonormal columns or not
  std::vector<std::vector<double>> places{};  ///< s of each direction
};

/// The smallest and the largest projection on each direction.
class Ends {
 public:
  explicit Ends(std::int64_t directions);
  void add(const Lines& lines, const at::Tensor& rows);
  double low(std::size_t direction) const { return low_[direction]; }
  double high(std::size_t direction) const { return high_[direction]; }

 private:
  std::vector<double> low_;
  std::vector<double> high_;
};

/// The rows that are nearest to the points of lines, held as they stream by. One product of
/// matrices screens all rows of a batch; the distances of those that may be among the nearest are
/// then summed number by number, so equal rows have equal distances wherever they stand.
class NearestRows {
 public:
  NearestRows(Lines lines, std::int64_t count, Nearness nearness, Distinct distinct);

  /// `rows` [n, d] float64, row i of `numbers[i]` among the positions of all samples of the batch;
  /// `first`: the number of the batch's first sample.
  void add(const at::Tensor& rows, const std::vector<std::int64_t>& numbers, std::int64_t positions,
           std::int64_t first);

  /// Of one point: the nearest first, then by sample and position.
  std::vector<Neighbour> of(std::size_t direction, std::size_t point) const;

 private:
  struct Found {
    double squared = 0;
    Neighbour neighbour{};
    bool before(const Found& other) const;
  };

  void search(std::size_t direction, std::size_t point, const double* rows, const double* sizes,
              const double* projections, const std::vector<std::int64_t>& numbers,
              std::int64_t positions, std::int64_t first);
  Found measured(const double* row, std::size_t direction, double place) const;
  void keep(std::vector<Found>& list, const Found& found) const;

  Lines lines_;
  at::Tensor columns_{};  ///< Qᵀ, contiguous
  std::size_t count_;
  Nearness nearness_;
  Distinct distinct_;
  std::vector<std::vector<std::vector<Found>>> found_{};  ///< direction, point, sorted
};

}  // namespace descramble
