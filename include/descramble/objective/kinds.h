#pragma once

#include <memory>
#include <optional>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "descramble/config/kind.h"
#include "descramble/config/settings.h"
#include "descramble/objective/objective.h"

namespace [[gnu::visibility("default")]] descramble {

/// A kind of objective.
struct ObjectiveKind {
  KindInfo info{};  ///< its name, fields and summary
  /// What its objectives will say, before there is one; absent: that shows once it is made.
  ObjectiveTraits (*traits)(const Settings& settings) = nullptr;
  LayerNeeds (*needs)(const Settings& settings) = nullptr;  ///< what of a layer `make` reads
  /// Makes the objective. @throws Error for data that do not suit it
  std::unique_ptr<Objective> (*make)(const Settings& settings, const LayerData& layer) = nullptr;
};

/// Every kind in src/objective/builtin.def.
const std::vector<ObjectiveKind>& objective_kinds();
/// The kinds as configs, schema and documentation see them.
const KindFamily& objective_family();
/// What of a layer the objective {"kind": …, …} reads. @throws Error for fields that do not fit
LayerNeeds objective_needs(const nlohmann::json& objective);
/// What is known before there is an objective; nothing where its kind leaves that to the objective.
std::optional<ObjectiveTraits> objective_traits(const ObjectiveKind& kind,
                                                const Settings& settings);
/// The same for {"kind": …, …}. @throws Error for fields that do not fit
std::optional<ObjectiveTraits> objective_traits(const nlohmann::json& objective);
/// `objective` is {"kind": …, …}; fields that it leaves out have their defaults.
/// @throws Error, also where the layer lacks what the objective needs
std::unique_ptr<Objective> make_objective(const nlohmann::json& objective, const LayerData& layer);
/// The same for an objective that needs moments alone.
std::unique_ptr<Objective> make_objective(const nlohmann::json& objective, const Moments& moments);

}  // namespace descramble
