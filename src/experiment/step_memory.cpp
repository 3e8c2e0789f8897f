#include "experiment/step_memory.h"

namespace descramble {

const InputMeans& mean_inputs_of(const Workspace& workspace, Split data, Progress& progress) {
  std::map<Split, InputMeans>& means = workspace.memory->means;
  const auto found = means.find(data);
  if (found != means.end()) return found->second;
  return means.emplace(data, mean_inputs(workspace, data, progress)).first->second;
}

const Untrained& untrained_after(const std::set<std::int64_t>& steps, const Workspace& workspace) {
  std::unique_ptr<Untrained>& untrained = workspace.memory->untrained;
  if (untrained == nullptr) {
    UntrainedTwin twin = untrained_twin(workspace, workspace.seed);
    auto made = std::make_unique<Untrained>(Untrained{workspace, std::move(twin.kept)});
    static_cast<Subject&>(made->workspace) = std::move(twin.subject);
    made->workspace.rotations.clear();
    // Means are of the data alone, so the network without training has the same.
    made->workspace.memory = std::make_shared<StepMemory>();
    untrained = std::move(made);
  }
  untrained->workspace.memory->means = workspace.memory->means;
  for (const std::int64_t step : steps) {
    if (untrained->steps.contains(step)) continue;
    const nlohmann::json& earlier = workspace.steps.at(static_cast<std::size_t>(step));
    const StepResult found =
        step_kind(earlier.at("kind")).run(earlier, untrained->workspace, Progress::none());
    for (const RotationEdit& edit : found.edits)
      untrained->workspace.rotations[{step, edit.tap}] = edit.rotation;
    untrained->steps.insert(step);
  }
  return *untrained;
}

}  // namespace descramble
