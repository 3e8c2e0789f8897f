#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>
#include <nlohmann/json_fwd.hpp>

#include "descramble/basis/basis.h"
#include "descramble/config/kind.h"
#include "descramble/config/settings.h"
#include "descramble/core/paths.h"
#include "descramble/data/data_set.h"
#include "descramble/stats/moments.h"

namespace [[gnu::visibility("default")]] descramble {

/// Rotations P [d, d] that steps of this run have found, by the number of the step and the tap.
using Rotations = std::map<std::pair<std::int64_t, std::string>, at::Tensor>;

/// Takes rows [n, d] in float64, some of all at a time.
using VisitRows = std::function<void(const at::Tensor& rows)>;

/// What a basis may be made of.
struct BasisInput {
  Moments moments{};       ///< moments of the layer's values
  std::string tap{};       ///< the tap of these values
  Rotations rotations{};   ///< rotations that earlier steps have found
  std::uint64_t seed = 0;  ///< the seed of random directions
  PathSearch paths{};      ///< where files are searched
  std::string pointer{};   ///< where the basis stands in the config, for errors
  /// Visits the values that the moments are of, one row each. It costs a pass over the data, which
  /// only a kind pays for that calls it, while it makes its basis; empty: there are no values.
  std::function<void(const VisitRows& visit)> for_each_rows{};
};

/// One basis, or several random bases of one kind. Each basis is made only when it is needed,
/// because many of them would not fit into memory together.
struct BasisDraws {
  std::string label{};  ///< the name in legends and tables: "pca"
  /// Basis `number`, from 0. The same number gives the same basis.
  std::function<Basis(std::int64_t number)> draw{};
  std::int64_t count = 1;          ///< number of bases that can be drawn
  std::vector<InputFile> files{};  ///< files that were read for it
};

/// The draws of a kind that has only one basis.
BasisDraws one_basis(std::string label, Basis basis, std::vector<InputFile> files = {});

/// A kind of basis: its fields, and how it is made once they are resolved.
struct BasisKind {
  KindInfo info{};  ///< its name, fields and summary
  /// Makes the basis. @throws Error naming `input.pointer` where it cannot be made from the input
  BasisDraws (*make)(const Settings& settings, const BasisInput& input) = nullptr;
};

/// Every kind in src/basis/builtin.def.
const std::vector<BasisKind>& basis_kinds();
/// The kinds as configs, schema and documentation see them.
const KindFamily& basis_family();

/// Makes the basis of a config value. @throws Error naming `input.pointer`
BasisDraws make_basis(const nlohmann::json& basis, const BasisInput& input);

}  // namespace descramble
