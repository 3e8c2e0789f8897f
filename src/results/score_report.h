#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "descramble/analysis/score.h"

namespace descramble {

/// {top1, top5 (null without accuracy), loss, loss_kind, count} for results; for floating-point
/// targets also {relative_error, cosine}.
nlohmann::json score_json(const Score& score);

/// "top-1 98.53 % (9853), top-5 99.98 % (9998), loss 0.0575" for a person; without accuracy "mean
/// squared error 0.0575, relative error 0.12, cosine 0.993".
std::string score_line(const Score& score);

}  // namespace descramble
