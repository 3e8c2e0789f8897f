#include "descramble/config/registry.h"

#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

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

}  // namespace

void require_readable(const MatrixView& matrix) {
  if (matrix.values.dim() != 2 || matrix.values.numel() == 0) {
    throw Error({"not a matrix", matrix.title, "rows and columns",
                 fmt::format("[{}]", fmt::join(matrix.values.sizes(), ", "))});
  }
  if (!at::isfinite(matrix.values).all().item<bool>())
    throw Error({"cannot read the matrix", matrix.title, "finite numbers", "NaN or inf"});
  // Squares of larger numbers leave the range of float64.
  const double largest = matrix.values.abs().max().item<double>();
  if (largest > 1e100) {
    throw Error({"cannot read the matrix", matrix.title, "numbers below 1e100",
                 fmt::format("{}", largest)});
  }
}

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
