#include "results/certificate_json.h"

#include <algorithm>

#include <nlohmann/json.hpp>

namespace descramble {

nlohmann::json certificate_json(const Certificate& certificate) {
  return {{"orthogonality", certificate.orthogonality},
          {"orthogonality_in_model", certificate.orthogonality_in_model},
          {"inserted", certificate.inserted},
          {"floor", certificate.floor}};
}

Certificate worse_of(const Certificate& one, const Certificate& other) {
  return {
      .orthogonality = std::max(one.orthogonality, other.orthogonality),
      .orthogonality_in_model = std::max(one.orthogonality_in_model, other.orthogonality_in_model),
      .inserted = std::max(one.inserted, other.inserted),
      .floor = std::max(one.floor, other.floor)};
}

}  // namespace descramble
