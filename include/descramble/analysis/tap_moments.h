#pragma once

#include <optional>
#include <string>
#include <vector>

#include "descramble/analysis/subject.h"
#include "descramble/basis/kinds.h"
#include "descramble/core/progress.h"
#include "descramble/stats/moments.h"
#include "descramble/taps/rows.h"
#include "descramble/taps/space.h"

namespace [[gnu::visibility("default")]] descramble {

/// Moments of the values at a tap over a source.
struct TapMoments {
  TapSpace space{};   ///< the tap and the space of its values
  Moments moments{};  ///< moments of the rows that count
};

/// Which rows of a tap an analysis uses.
struct RowUse {
  RowSelection selection{};  ///< rows that count
  /// Uses only one row of each sample, drawn from the rows that count with the stream
  /// "position/TAP" and the number of the sample. The same seed and sample give the same position.
  /// A sample without a row that counts gives none.
  bool one_position = false;
};

/// One pass over the data for all taps together. `axis` absent: the default of each tap.
/// @throws Error for an axis that a tap does not have, or whose matrices exceed the memory ceiling;
/// for a selection that leaves no row
std::vector<TapMoments> measure_taps(const Subject& subject, const Source& source,
                                     const std::vector<std::string>& taps,
                                     std::optional<Axis> axis = std::nullopt,
                                     const RowUse& use = {}, Progress& progress = Progress::none());

/// Visits the rows of a tap that an analysis looks at, [n, d] in float64 on the CPU, batch by
/// batch. The network runs once more for it; no more than a batch is held.
void for_each_rows(const Subject& subject, const Source& source, const TapSpace& tap,
                   const RowUse& use, const VisitRows& visit, Progress& progress);

/// Which value at a tap an analysis takes.
enum class Position {
  before,  ///< what the tap's call receives (NAME.input)
  after,   ///< the value of the tap
  both     ///< one behind the other, each on its own
};
/// The position of that name.
/// @throws Error for another name than "before", "after", "both"
Position parse_position(const std::string& name);
/// The taps that the selectors match, for this position, in the model's order.
std::vector<std::string> positioned_taps(const Model& model,
                                         const std::vector<std::string>& selectors,
                                         Position position);

}  // namespace descramble
