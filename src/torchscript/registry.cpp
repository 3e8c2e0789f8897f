#include "descramble/config/registry.h"

#include "descramble/model/kinds.h"
#include "torchscript/layer.h"

namespace descramble {

#define DESCRAMBLE_KIND(name) const LayerKind& layer_kind_##name();
#include "torchscript/builtin.def"
#undef DESCRAMBLE_KIND

namespace {

const Registry<LayerKind>& layer_registry() {
  static const Registry<LayerKind> registry = [] {
    std::vector<LayerKind> kinds = {
#define DESCRAMBLE_KIND(name) layer_kind_##name(),
#include "torchscript/builtin.def"
#undef DESCRAMBLE_KIND
    };
    return Registry("layer", std::move(kinds),
                    {{.name = "name",
                      .type = FieldType::string,
                      .doc = "name of the submodule, hence of its tap; null: kind and number",
                      .fallback = nullptr}});
  }();
  return registry;
}

}  // namespace

const KindFamily& layer_family() {
  return layer_registry().family();
}

const LayerKind& layer_kind(const std::string& name) {
  return layer_registry().at(name);
}

}  // namespace descramble
