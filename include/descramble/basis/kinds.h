#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <nlohmann/json_fwd.hpp>

#include "descramble/basis/basis.h"
#include "descramble/core/kind.h"
#include "descramble/core/paths.h"
#include "descramble/data/data_set.h"
#include "descramble/stats/moments.h"

namespace descramble {

/// Rotations P [d, d] that steps of this run have found, by the step's number and the tap.
using Rotations = std::map<std::pair<std::int64_t, std::string>, at::Tensor>;

/// What a basis may be made of.
struct BasisInput {
  Moments moments{};      ///< of the layer's values
  std::string tap{};      ///< where they were taken
  Rotations rotations{};  ///< of earlier steps
  std::uint64_t seed = 0;
  std::int64_t memory_mb = 4096;  ///< ceiling of all draws together
  PathSearch paths{};
  std::string pointer{};  ///< where the basis stands in the config, for errors
};

/// One basis, or several of one kind that are drawn at random.
struct BasisDraws {
  std::string label{};  ///< for legends and tables: "pca"
  std::vector<Basis> draws{};
  std::vector<InputFile> files{};  ///< that were read for it
};

struct BasisKind {
  KindInfo info{};
  BasisDraws (*make)(const nlohmann::json& resolved, const BasisInput& input) = nullptr;
};

/// Every kind in src/basis/builtin.def.
const std::vector<BasisKind>& basis_kinds();
const KindFamily& basis_family();

/// Makes the basis of a config value. @throws Error naming `input.pointer`
BasisDraws make_basis(const nlohmann::json& basis, const BasisInput& input);

}  // namespace descramble
