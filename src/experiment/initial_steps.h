#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "descramble/taps/point.h"

namespace descramble {

/// A tap that a rotation may stand at.
struct Candidate {
  std::string name{};
  std::string type{};
};

/// Those of a network, in its order. `ran`: the readings are of a pass, which tells sizes.
std::vector<Candidate> candidates_of(const std::vector<TapReading>& readings, bool ran);

/// One step of each sort, at a layer in the middle. `labelled`: the data have labels. `end`: where
/// a Jacobian may lead to.
nlohmann::json steps_of(const std::vector<Candidate>& candidates, bool labelled,
                        const std::string& end);

}  // namespace descramble
