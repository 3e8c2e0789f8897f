#pragma once

#include <cstdint>
#include <vector>

namespace [[gnu::visibility("default")]] descramble {

/// The numbers of ablated directions at which a curve is measured.
struct Grid {
  /// How the counts are spread.
  enum class Kind {
    all,      ///< every count from none to all
    linear,   ///< evenly spread counts
    adaptive  ///< half of the counts evenly spread, the others where accuracy changed most
  };
  Kind kind = Kind::adaptive;  ///< how the counts are spread
  std::int64_t points = 64;    ///< number of counts, at least 3; with few directions: every count
};

/// The counts of the first pass, ascending, including 0, ⌊d/2⌋ and d. All counts for the kind
/// "all", or if there are no more counts than points.
std::vector<std::int64_t> first_counts(const Grid& grid, std::int64_t d);

/// The counts of the second pass: the remaining points of `grid`, placed so that the largest step
/// of accuracy between neighbours becomes as small as possible. `moved[i]`: the change of accuracy
/// between counts[i] and counts[i + 1], the largest of all curves.
std::vector<std::int64_t> further_counts(const Grid& grid, const std::vector<std::int64_t>& counts,
                                         const std::vector<double>& moved);

}  // namespace descramble
