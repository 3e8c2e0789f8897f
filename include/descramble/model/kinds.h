#pragma once

#include <nlohmann/json_fwd.hpp>

#include "descramble/config/kind.h"
#include "descramble/core/paths.h"
#include "descramble/model/model.h"

namespace descramble {

struct ModelContext {
  std::uint64_t seed = 0;
  std::string device = "cpu";
  PathSearch paths{};
};

struct OpenedModel {
  Model model;
  std::string given{};           ///< the path as the config has it; empty for a built model
  std::filesystem::path path{};  ///< where it was found
};

/// A kind of model: its fields, and how it is made once they are resolved.
struct ModelKind {
  KindInfo info{};
  OpenedModel (*open)(const nlohmann::json& resolved, const ModelContext& context) = nullptr;
};

/// Every kind in src/model/builtin.def.
const std::vector<ModelKind>& model_kinds();
const KindFamily& model_family();

/// Layers of a `sequential` model.
const KindFamily& layer_family();

/// A model that was loaded, with what a config's "model" says of it: output, state.
Model with_model_fields(Model model, const nlohmann::json& resolved);

/// Opens or builds the model of a config. @throws Error
OpenedModel open_model(const nlohmann::json& resolved, const ModelContext& context);

}  // namespace descramble
