#include "descramble/config/registry.h"

#include <nlohmann/json.hpp>

#include "descramble/model/kinds.h"

namespace descramble {

#define DESCRAMBLE_KIND(name) const ModelKind& model_kind_##name();
#include "model/builtin.def"
#undef DESCRAMBLE_KIND

namespace {

const Registry<ModelKind>& model_registry() {
  static const Registry<ModelKind> registry = [] {
    std::vector<ModelKind> kinds = {
#define DESCRAMBLE_KIND(name) model_kind_##name(),
#include "model/builtin.def"
#undef DESCRAMBLE_KIND
    };
    return Registry("model", std::move(kinds));
  }();
  return registry;
}

}  // namespace

const std::vector<ModelKind>& model_kinds() {
  return model_registry().kinds();
}

const KindFamily& model_family() {
  return model_registry().family();
}

OpenedModel open_model(const nlohmann::json& resolved, const ModelContext& context) {
  if (const ModelKind* kind = model_registry().find(resolved.at("kind").get<std::string>()))
    return kind->open(resolved, context);
  throw Error({"unknown model kind", "/model/kind", quoted_list(model_family().names()),
               resolved.at("kind").dump()});
}

}  // namespace descramble
