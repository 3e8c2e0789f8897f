#pragma once

#include <filesystem>

#include "descramble/core/progress.h"
#include "experiment/config.h"

namespace descramble {

/// Runs an experiment and writes its result folder, complete or not at all.
/// @throws Error (wrong use), Failure (a certificate that does not hold, a full disk), Interrupted
void run_experiment(const Config& config, const std::filesystem::path& out, bool force,
                    Progress& progress);

/// Trains a model and writes its result folder, with the trained model as model.pt.
void run_training(const Config& config, const std::filesystem::path& out, bool force,
                  Progress& progress);

}  // namespace descramble
