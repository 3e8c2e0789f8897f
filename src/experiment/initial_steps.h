#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "descramble/taps/point.h"

namespace descramble {

/// A tap at which a rotation may be inserted.
struct Candidate {
  std::string name{};
  std::string type{};
};

/// The candidates of a network, in the order of the network. `ran`: the readings come from a pass,
/// so that sizes are known.
std::vector<Candidate> candidates_of(const std::vector<TapReading>& readings, bool ran);

/// One step of each kind, at a layer in the middle. `labelled`: the data have labels. `end`: the
/// tap at which a Jacobian may end.
nlohmann::json steps_of(const std::vector<Candidate>& candidates, bool labelled,
                        const std::string& end);

}  // namespace descramble
