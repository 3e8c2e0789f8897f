#include <nlohmann/json.hpp>

#include "descramble/model/kinds.h"

namespace descramble {

#define DESCRAMBLE_KIND(name) const ModelKind& model_kind_##name();
#include "model/builtin.def"
#undef DESCRAMBLE_KIND

const std::vector<ModelKind>& model_kinds() {
  static const std::vector<ModelKind> kinds = {
#define DESCRAMBLE_KIND(name) model_kind_##name(),
#include "model/builtin.def"
#undef DESCRAMBLE_KIND
  };
  return kinds;
}

const KindFamily& model_family() {
  static const KindFamily family = [] {
    KindFamily result{.title = "model"};
    for (const ModelKind& kind : model_kinds()) result.kinds.push_back(kind.info);
    return result;
  }();
  return family;
}

OpenedModel open_model(const nlohmann::json& resolved, const ModelContext& context) {
  for (const ModelKind& kind : model_kinds()) {
    if (kind.info.name == resolved.at("kind")) return kind.open(resolved, context);
  }
  throw Error({"unknown model kind", "/model/kind", quoted_list(model_family().names()),
               resolved.at("kind").dump()});
}

}  // namespace descramble
