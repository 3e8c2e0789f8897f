#pragma once

#include <cstdint>
#include <vector>

#include "descramble/analysis/tap_moments.h"
#include "descramble/basis/choice.h"

namespace descramble {

/// The chosen bases of a tap, with labels that no two share: "random", "random (2)". `visit_rows`
/// shows the tap's values to a basis that needs them. `files` gets those that were read, each once.
/// @throws Error as the choices do
std::vector<BasisDraws> tap_bases(const std::vector<BasisChoice>& choices,
                                  const TapMoments& measured, std::uint64_t seed,
                                  const std::function<void(const VisitRows& visit)>& visit_rows,
                                  std::vector<InputFile>& files);

}  // namespace descramble
