#pragma once

#include <cstdint>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "descramble/config/kind.h"

namespace descramble {

/// At which numbers of ablated directions a curve is measured.
const KindFamily& grid_family();

/// The counts of the first pass, ascending: 0, ⌊d/2⌋ and d among them. All counts for the kind
/// "all", and where there are no more of them than points.
std::vector<std::int64_t> first_counts(const nlohmann::json& grid, std::int64_t d);

/// The counts of the second pass: what `grid` has left of its points, placed so that no step of
/// accuracy between neighbours stays larger than it must. `moved[i]`: how much accuracy moved
/// between counts[i] and counts[i + 1], of any curve.
std::vector<std::int64_t> further_counts(const nlohmann::json& grid,
                                         const std::vector<std::int64_t>& counts,
                                         const std::vector<double>& moved);

}  // namespace descramble
