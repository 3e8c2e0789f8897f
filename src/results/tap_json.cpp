#include "results/tap_json.h"

#include <utility>

#include <nlohmann/json.hpp>

namespace descramble {

nlohmann::json tap_json(const TapSpace& space) {
  return {{"name", space.name}, {"shape", space.shape}, {"axis", axis_name(space.axis)}};
}

nlohmann::json check_json(const CheckSamples& check) {
  nlohmann::json mixed = nullptr;
  if (!check.mixed_at.empty()) mixed = {{"tap", check.mixed_at}, {"difference", check.mixed_by}};
  return {{"inputs", check.names},          {"samples", check.indices},
          {"batch_size", check.batch_size}, {"only_batch", check.only_batch},
          {"rerun", check.rerun},           {"samples_mixed", std::move(mixed)}};
}

}  // namespace descramble
