#include <nlohmann/json.hpp>

#include "descramble/basis/kinds.h"

namespace descramble {

#define DESCRAMBLE_KIND(name) const BasisKind& basis_kind_##name();
#include "basis/builtin.def"
#undef DESCRAMBLE_KIND

const std::vector<BasisKind>& basis_kinds() {
  static const std::vector<BasisKind> kinds = {
#define DESCRAMBLE_KIND(name) basis_kind_##name(),
#include "basis/builtin.def"
#undef DESCRAMBLE_KIND
  };
  return kinds;
}

const KindFamily& basis_family() {
  static const KindFamily family = [] {
    KindFamily result{.title = "basis"};
    for (const BasisKind& kind : basis_kinds()) result.kinds.push_back(kind.info);
    return result;
  }();
  return family;
}

BasisDraws one_basis(std::string label, Basis basis, std::vector<InputFile> files) {
  return {.label = std::move(label),
          .draw = [basis = std::move(basis)](std::int64_t) { return basis; },
          .files = std::move(files)};
}

BasisDraws make_basis(const nlohmann::json& basis, const BasisInput& input) {
  const nlohmann::json resolved = resolve_kind(basis_family(), basis, input.pointer);
  std::size_t i = 0;
  while (basis_kinds()[i].info.name != resolved.at("kind")) ++i;
  return basis_kinds()[i].make(resolved, input);
}

}  // namespace descramble
