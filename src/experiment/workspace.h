#pragma once

#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "experiment/config.h"
#include "experiment/step.h"

namespace descramble {

/// The model and data of a config, opened; with the files that they came from.
struct Opened {
  Workspace workspace;
  std::vector<InputFile> inputs{};
};

/// Opens the model and the data, sets the thread count, and runs the check samples through the
/// model.
/// @throws Error; for a missing model that a training config beside this one makes, the Error gives
/// the command
Opened open_workspace(const Config& config);

/// The threads of a config while it lives: all cores for 0. Switches off the maths libraries' own
/// dynamic adjustment, so that bytes repeat. The number before comes back at the end.
class ThreadScope {
 public:
  explicit ThreadScope(std::int64_t threads);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;
  int count() const { return count_; }

 private:
  int before_;
  int count_;
};

/// The content of result.json except for the hashes of the other files and the warnings.
nlohmann::json result_json(const Config& config, const Opened& opened, int threads,
                           nlohmann::json steps);

/// "NAME: LibTorch 2.13.0, cpu, 2 threads"
std::string heading(const Config& config, int threads);

}  // namespace descramble
