#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/matmul.h>
#include <fmt/format.h>

#include "descramble/basis/orthogonal.h"
#include "descramble/core/error.h"
#include "descramble/objective/smoothness.h"
#include "descramble/reading/kinds.h"

namespace descramble {

namespace {

void require_square(const MatrixView& matrix, std::int64_t d) {
  if (matrix.values.size(0) == d && matrix.values.size(1) == d &&
      distance_from_orthogonal(matrix.values) < 1e-6) {
    return;
  }
  throw Error({"not a rotation", matrix.title, fmt::format("an orthogonal matrix {0} x {0}", d),
               fmt::format("{} x {}", matrix.values.size(0), matrix.values.size(1))});
}

Reading read_alignment(const MatrixView& matrix, const MatrixView* other,
                       const Settings& settings) {
  const std::int64_t d = matrix.values.size(0);
  require_square(matrix, d);
  const StencilSpectrum spectrum = stencil_spectrum(parse_stencil(settings.text("stencil")), d);
  at::Tensor predicted;
  std::int64_t directions = d;
  if (settings.text("against") == "rotation") {
    require_square(*other, d);
    predicted = other->values;
  } else {
    if (other->values.size(0) != d) {
      throw Error({"the matrices do not fit", other->title, fmt::format("{} rows", d),
                   fmt::format("{}", other->values.size(0))});
    }
    // All d left vectors; of the right ones no more than there are.
    const at::Tensor u =
        std::get<0>(at::linalg_svd(other->values, /*full_matrices=*/d > other->values.size(1)));
    predicted = spectrum.vectors.matmul(u.t());
    directions = std::min(d, other->values.size(1));
  }
  directions = std::min(directions, settings.find_integer("directions").value_or(directions));
  const at::Tensor aligned = align_gauge(spectrum, predicted, matrix.values);
  // Rows of Tᵀ P and Tᵀ T B Uᵀ are directions of the layer, the smoothest first.
  const at::Tensor found = spectrum.vectors.t().matmul(matrix.values).narrow(0, 0, directions);
  const at::Tensor wanted = spectrum.vectors.t().matmul(aligned).narrow(0, 0, directions);
  const at::Tensor cosines = (found * wanted).sum(1).clamp(-1, 1);
  const double distance = (found - wanted).norm().item<double>();
  Reading reading;
  reading.answers = {{.name = "distance", .value = distance},
                     // 1: as far as directions that have nothing to do with each other.
                     {.name = "relative_distance",
                      .value = distance / std::sqrt(2 * static_cast<double>(directions))},
                     {.name = "mean_cosine", .value = cosines.mean().item<double>()}};
  Series series{.label = matrix.title + " and " + other->title};
  for (std::int64_t i = 0; i < directions; ++i) {
    series.x.push_back(static_cast<double>(i + 1));
    series.y.push_back(cosines[i].item<double>());
  }
  reading.figures.emplace_back(
      "alignment", Figure{.title = "Directions of " + matrix.title + " against " + other->title,
                          .x_title = "direction, the smoothest first",
                          .y_title = "cosine after gauge alignment",
                          .y_range = std::pair{-0.05, 1.05},
                          .series = {std::move(series)}});
  return reading;
}

}  // namespace

const ReadingKind& reading_kind_alignment() {
  static const ReadingKind kind{
      .info =
          {.name = "alignment",
           .summary = "compares a rotation with another one, or with the prediction T U' from the "
                      "left singular vectors U of a second matrix, after gauge alignment",
           .formula = "min over B in O(1) x O(2) x ... of ||P - T B U'||_F, over the leading "
                      "directions; divided by sqrt(2 n): 0 the same, 1 at right angles",
           .source = "Sule, Spencer, Czaja, arXiv 2301.07820, theorems 1 and 2",
           .fields = {{.name = "against",
                       .type = FieldType::string,
                       .doc = "singular_vectors: of the second matrix; rotation: the second matrix "
                              "itself",
                       .fallback = "singular_vectors",
                       .choices = {"singular_vectors", "rotation"}},
                      {.name = "stencil",
                       .type = FieldType::string,
                       .doc = "the stencil of the descrambler",
                       .fallback = "fourier_second",
                       .choices = stencil_names()},
                      {.name = "directions",
                       .type = FieldType::integer,
                       .doc = "how many of the smoothest directions are compared; null: all that "
                              "the second matrix determines",
                       .fallback = nullptr,
                       .minimum = 1}}},
      .read = read_alignment,
      .needs_other = true};
  return kind;
}

}  // namespace descramble
