#pragma once

#include <nlohmann/json_fwd.hpp>

#include "descramble/analysis/insertion.h"

namespace descramble {

/// {orthogonality, orthogonality_in_model, inserted, floor} for results.
nlohmann::json certificate_json(const Certificate& certificate);

/// The larger one of each figure.
Certificate worse_of(const Certificate& one, const Certificate& other);

}  // namespace descramble
