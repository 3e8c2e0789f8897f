#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "descramble/analysis/matrices.h"
#include "experiment/step.h"

namespace descramble {

/// A network without training on the data of an experiment, with the rotations that the steps which
/// have been asked for find of it.
struct Untrained {
  Workspace workspace;
  std::vector<std::string> kept{};  ///< parameters that kept their trained values
  std::set<std::int64_t> steps{};   ///< that have run on it
};

/// What a step has computed and a later step may need again. Every value depends on the config
/// alone, so results do not depend on what is here.
struct StepMemory {
  std::map<Split, InputMeans> means{};
  std::unique_ptr<Untrained> untrained{};
};

/// The means of a source's inputs. @throws Error as mean_inputs does
const InputMeans& mean_inputs_of(const Workspace& workspace, Split data, Progress& progress);

/// The network without training, after these of the experiment's steps have run on it.
/// @throws Error as untrained_twin and the steps do
const Untrained& untrained_after(const std::set<std::int64_t>& steps, const Workspace& workspace);

}  // namespace descramble
