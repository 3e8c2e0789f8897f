#include "descramble/config/registry.h"

#include "experiment/step.h"

namespace descramble {

#define DESCRAMBLE_KIND(name) const StepKind& step_kind_##name();
#include "experiment/builtin.def"
#undef DESCRAMBLE_KIND

namespace {

const Registry<StepKind>& step_registry() {
  static const Registry<StepKind> registry = [] {
    std::vector<StepKind> kinds = {
#define DESCRAMBLE_KIND(name) step_kind_##name(),
#include "experiment/builtin.def"
#undef DESCRAMBLE_KIND
    };
    return Registry("step", std::move(kinds));
  }();
  return registry;
}

}  // namespace

const std::vector<StepKind>& step_kinds() {
  return step_registry().kinds();
}

const KindFamily& step_family() {
  return step_registry().family();
}

const StepKind& step_kind(const std::string& name) {
  return step_registry().at(name);
}

}  // namespace descramble
