#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "descramble/config/kind.h"
#include "descramble/core/paths.h"

namespace descramble {

/// An experiment or training, checked, with every default filled in.
struct Config {
  std::filesystem::path file{};
  nlohmann::json resolved{};

  bool is_training() const { return resolved.contains("train"); }
  PathSearch paths() const {
    return {file.has_parent_path() ? file.parent_path() : std::filesystem::path(".")};
  }
};

/// Reads, applies `--set` assignments, and resolves. @throws Error with the JSON pointer
Config load_config(const std::filesystem::path& file,
                   const std::vector<std::string>& assignments = {});
Config resolve_config(const nlohmann::json& document, const std::filesystem::path& file);

/// The JSON Schema of a config, the content of configs/schema.json.
nlohmann::json config_schema();

/// Every family of kinds that a config can name, for listings: model, layer, data source, step, ….
std::vector<const KindFamily*> all_families();
/// Fields of a config with `steps`, and of one with `train`.
const std::vector<Field>& experiment_fields();
const std::vector<Field>& training_fields();

}  // namespace descramble
