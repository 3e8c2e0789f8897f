#include "descramble/config/registry.h"

#include "experiment/matrices/matrix_kind.h"

namespace descramble {

#define DESCRAMBLE_KIND(name) const MatrixKind& matrix_kind_##name();
#include "experiment/matrices/builtin.def"
#undef DESCRAMBLE_KIND

namespace {

const Registry<MatrixKind>& matrix_registry() {
  static const Registry<MatrixKind> registry = [] {
    std::vector<MatrixKind> kinds = {
#define DESCRAMBLE_KIND(name) matrix_kind_##name(),
#include "experiment/matrices/builtin.def"
#undef DESCRAMBLE_KIND
    };
    return Registry("matrix", std::move(kinds));
  }();
  return registry;
}

}  // namespace

const KindFamily& matrix_family() {
  return matrix_registry().family();
}

const MatrixKind& matrix_kind(const std::string& name) {
  return matrix_registry().at(name);
}

}  // namespace descramble
