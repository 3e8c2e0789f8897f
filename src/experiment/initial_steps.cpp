#include "experiment/initial_steps.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace descramble {

using nlohmann::json;

namespace {

constexpr std::int64_t widest = 4096;  ///< units of a tap that a config to start from rotates

bool has_weights(const Candidate& candidate) {
  return candidate.type.find("Linear") != std::string::npos ||
         candidate.type.find("Conv") != std::string::npos;
}

}  // namespace

std::vector<Candidate> candidates_of(const std::vector<TapReading>& readings, bool ran) {
  std::vector<Candidate> modules;
  std::vector<Candidate> operators;
  for (const TapReading& reading : readings) {
    const TapPoint& point = reading.point;
    if (point.in_control_flow || (point.kind != "module" && point.kind != "operator")) continue;
    if (ran) {
      const bool floats = reading.dtype.find("float") != std::string::npos;
      if (!floats || reading.fired != 1 || reading.sizes.size() < 2) continue;
      const std::int64_t units =
          reading.axis == "channels" ? reading.sizes[1] : reading.sizes.back();
      if (units < 2 || units > widest) continue;
    }
    (point.kind == "module" ? modules : operators).push_back({point.name, point.type});
  }
  // Without shapes, layers with weights are the ones that surely have units.
  std::vector<Candidate>& all = modules.empty() ? operators : modules;
  return std::move(all);
}

json steps_of(const std::vector<Candidate>& candidates, bool labelled, const std::string& end) {
  json steps = json::array();
  if (labelled) steps.push_back({{"kind", "evaluate"}});
  if (candidates.empty()) return steps;
  std::vector<Candidate> layers;
  std::copy_if(candidates.begin(), candidates.end(), std::back_inserter(layers), has_weights);
  if (layers.empty()) layers = candidates;
  // The last layer makes the output; the one in the middle of the others is the start.
  const std::size_t inner = layers.size() > 1 ? layers.size() - 1 : 1;
  const Candidate& chosen = layers[inner / 2];
  json names = json::array();
  constexpr std::size_t shown = 6;
  const std::size_t count = std::min(shown, candidates.size());
  for (std::size_t i = 0; i < count; ++i)
    names.push_back(candidates[i * candidates.size() / count].name);
  steps.push_back({{"kind", "statistics"}, {"taps", names}});
  steps.push_back({{"kind", "capture"}, {"taps", chosen.name}, {"limit", 64}});
  steps.push_back({{"kind", "completeness"},
                   {"taps", chosen.name},
                   {"bases", json::array({{{"kind", "pca"}}, {{"kind", "neurons"}}})},
                   {"grid", {{"kind", "adaptive"}, {"points", 16}}}});
  const auto next = std::find_if(layers.begin(), layers.end(),
                                 [&](const Candidate& one) { return one.name == chosen.name; }) +
                    1;
  const std::string to = next != layers.end() ? next->name : end;
  if (!to.empty() && to != chosen.name)
    steps.push_back({{"kind", "jacobian"}, {"from", chosen.name}, {"to", to}, {"samples", 256}});
  steps.push_back(
      {{"kind", "descramble"}, {"tap", chosen.name}, {"objective", {{"kind", "smoothness"}}}});
  return steps;
}

}  // namespace descramble
