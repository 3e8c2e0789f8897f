#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "descramble/stats/moments.h"
#include "descramble/taps/axis.h"
#include "experiment/step.h"

namespace descramble {

/// Moments of some taps over a source, with what was learned of each tap's shape on the way.
struct TapMoments {
  std::string tap{};
  Axis axis = Axis::features;
  std::vector<std::int64_t> shape{};  ///< of one sample, without the batch
  at::ScalarType dtype = at::kFloat;
  Moments moments{};
};

/// Picks those of a tap's rows that count: `rows` [N, d] of the samples from number `first` on.
using RowChoice = std::function<at::Tensor(const std::string& tap, const at::Tensor& rows,
                                           std::int64_t samples, std::int64_t first)>;

/// Of each sample the row of one position, drawn from the stream "position/TAP" of its number: the
/// same seed and sample, the same position.
RowChoice one_position(std::uint64_t seed);

/// One pass over the data for all taps together. `choose` absent: every row counts. `axis` null:
/// the default of each tap.
/// @throws Error for an axis that a tap does not have, or whose matrices exceed the memory ceiling
std::vector<TapMoments> measure_taps(const Workspace& workspace, const Source& source,
                                     const std::vector<std::string>& taps,
                                     const nlohmann::json& axis, Progress& progress,
                                     const RowChoice& choose = {});

/// {name, shape, axis} as results have it.
nlohmann::json tap_json(const TapMoments& tap);

/// The field that picks the axis.
Field axis_field();

}  // namespace descramble
