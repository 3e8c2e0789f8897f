#include "descramble/config/registry.h"

#include "descramble/basis/kinds.h"

namespace descramble {

#define DESCRAMBLE_KIND(name) const BasisKind& basis_kind_##name();
#include "basis/builtin.def"
#undef DESCRAMBLE_KIND

namespace {

const Registry<BasisKind>& basis_registry() {
  static const Registry<BasisKind> registry = [] {
    std::vector<BasisKind> kinds = {
#define DESCRAMBLE_KIND(name) basis_kind_##name(),
#include "basis/builtin.def"
#undef DESCRAMBLE_KIND
    };
    return Registry("basis", std::move(kinds));
  }();
  return registry;
}

}  // namespace

const std::vector<BasisKind>& basis_kinds() {
  return basis_registry().kinds();
}

const KindFamily& basis_family() {
  return basis_registry().family();
}

BasisDraws one_basis(std::string label, Basis basis, std::vector<InputFile> files) {
  return {.label = std::move(label),
          .draw = [basis = std::move(basis)](std::int64_t) { return basis; },
          .files = std::move(files)};
}

BasisDraws make_basis(const nlohmann::json& basis, const BasisInput& input) {
  const Chosen<BasisKind> chosen = basis_registry().resolve(basis, input.pointer);
  return chosen.kind.make(chosen.settings, input);
}

}  // namespace descramble
