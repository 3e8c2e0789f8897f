#pragma once

#include <cstdint>

#include <nlohmann/json_fwd.hpp>

#include "descramble/config/kind.h"
#include "descramble/training/probes.h"
#include "descramble/training/train.h"

namespace descramble {

/// Fields of "train", and the families of optimisers and schedules.
const FieldSet& train_fields();
const KindFamily& optimizer_family();
const KindFamily& schedule_family();
/// Fields of one of train's "probes".
const FieldSet& probe_fields();

/// The options that the resolved values of these fields mean.
TrainOptions train_options_in(const nlohmann::json& resolved, std::uint64_t seed);
ProbeOptions probe_options_in(const nlohmann::json& resolved);

}  // namespace descramble
