#include "descramble/config/registry.h"

#include <ATen/ops/isfinite.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/reading/kinds.h"

namespace descramble {

#define DESCRAMBLE_KIND(name) const ReadingKind& reading_kind_##name();
#include "reading/builtin.def"
#undef DESCRAMBLE_KIND

namespace {

const Registry<ReadingKind>& reading_registry() {
  static const Registry<ReadingKind> registry = [] {
    std::vector<ReadingKind> kinds = {
#define DESCRAMBLE_KIND(name) reading_kind_##name(),
#include "reading/builtin.def"
#undef DESCRAMBLE_KIND
    };
    return Registry("reading", std::move(kinds));
  }();
  return registry;
}

void require_readable(const MatrixView& matrix) {
  const bool two = matrix.values.dim() == 2 && matrix.values.numel() > 0;
  if (!two) {
    throw Error({"not a matrix", matrix.title, "rows and columns",
                 fmt::format("{} dimensions", matrix.values.dim())});
  }
  if (!at::isfinite(matrix.values).all().item<bool>())
    throw Error({"cannot read the matrix", matrix.title, "finite numbers", "NaN or inf"});
}

}  // namespace

const std::vector<ReadingKind>& reading_kinds() {
  return reading_registry().kinds();
}

const KindFamily& reading_family() {
  return reading_registry().family();
}

Reading read_matrix(const MatrixView& matrix, const MatrixView* other, const Settings& settings) {
  const ReadingKind& kind = reading_registry().at(settings.kind());
  require_readable(matrix);
  if (kind.needs_other && other == nullptr) {
    throw Error({"the reading compares two matrices", "with", "the second matrix", "none"});
  }
  if (other != nullptr) require_readable(*other);
  return kind.read(matrix, other, settings);
}

}  // namespace descramble
