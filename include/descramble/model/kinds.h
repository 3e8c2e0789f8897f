#pragma once

#include <nlohmann/json_fwd.hpp>

#include "descramble/config/kind.h"
#include "descramble/core/paths.h"
#include "descramble/model/model.h"

namespace [[gnu::visibility("default")]] descramble {

/// What opening a model needs besides its fields.
struct ModelContext {
  std::uint64_t seed = 0;      ///< the seed of weights that are drawn
  std::string device = "cpu";  ///< "cpu", "cuda", "cuda:1"
  PathSearch paths{};          ///< where files are searched
};

/// A model and the file that it came from.
struct OpenedModel {
  Model model;                   ///< the model, on the device of the context
  std::string given{};           ///< the path as the config has it; empty for a built model
  std::filesystem::path path{};  ///< where it was found
};

/// A kind of model: its fields, and how it is made once they are resolved.
struct ModelKind {
  KindInfo info{};  ///< its name, fields and summary
  /// Opens the model. `resolved` is the config's object with every default filled in. @throws Error
  /// for a file or fields that give no model
  OpenedModel (*open)(const nlohmann::json& resolved, const ModelContext& context) = nullptr;
};

/// Every kind in src/model/builtin.def.
const std::vector<ModelKind>& model_kinds();
/// The kinds as configs, schema and documentation see them.
const KindFamily& model_family();

/// Layers of a `sequential` model.
const KindFamily& layer_family();

/// A model that was loaded, with what a config's "model" says of it: output, state.
Model with_model_fields(Model model, const nlohmann::json& resolved);

/// Opens or builds the model of a config.
/// @throws Error for an unknown kind, and as the kind does
OpenedModel open_model(const nlohmann::json& resolved, const ModelContext& context);

}  // namespace descramble
