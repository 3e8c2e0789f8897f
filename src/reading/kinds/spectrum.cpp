#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_svdvals.h>
#include <fmt/format.h>

#include "descramble/reading/kinds.h"

namespace descramble {

namespace {

Reading read_spectrum(const MatrixView& matrix, const MatrixView*, const Settings& settings) {
  const at::Tensor values = at::linalg_svdvals(matrix.values);
  const auto shown = std::min<std::int64_t>(settings.integer("count"), values.size(0));
  const at::Tensor energy = values.pow(2);
  const double total = energy.sum().item<double>();
  Reading reading;
  for (std::int64_t i = 0; i < shown; ++i) {
    reading.answers.push_back(
        {.name = fmt::format("singular_value_{}", i + 1), .value = values[i].item<double>()});
  }
  const double fourth = energy.pow(2).sum().item<double>();
  reading.answers.push_back(
      {.name = "participation", .value = fourth > 0 ? total * total / fourth : 0});
  Series series{.label = matrix.title};
  for (std::int64_t i = 0; i < values.size(0); ++i) {
    series.x.push_back(static_cast<double>(i + 1));
    series.y.push_back(values[i].item<double>());
  }
  reading.figures.emplace_back("spectrum", Figure{.title = "Singular values",
                                                  .x_title = "number",
                                                  .y_title = "singular value",
                                                  .series = {std::move(series)}});
  return reading;
}

}  // namespace

const ReadingKind& reading_kind_spectrum() {
  static const ReadingKind kind{
      .info = {.name = "spectrum",
               .summary = "the singular values, and how many of them share the matrix",
               .formula = "participation (sum s^2)^2 / sum s^4",
               .fields = {{.name = "count",
                           .type = FieldType::integer,
                           .doc = "how many of the largest values are answers",
                           .fallback = 4,
                           .minimum = 1}}},
      .read = read_spectrum};
  return kind;
}

}  // namespace descramble
