#include "results/matrix_picture.h"

namespace descramble {

namespace {

std::optional<std::pair<double, double>> ends_of(const AxisScale& scale) {
  if (scale.values.size() < 2) return std::nullopt;
  return std::pair{scale.values.front(), scale.values.back()};
}

}  // namespace

Picture matrix_picture(const MatrixView& matrix, const std::string& label) {
  const at::Tensor plain = matrix.values.to(at::kDouble).contiguous();
  const auto* data = plain.data_ptr<double>();
  return {.title = matrix.title,
          .x_title = matrix.columns.title.empty() ? "column" : matrix.columns.title,
          .y_title = matrix.rows.title.empty() ? "row" : matrix.rows.title,
          .label = label,
          .rows = static_cast<std::size_t>(plain.size(0)),
          .columns = static_cast<std::size_t>(plain.size(1)),
          .values = std::vector<double>(data, data + plain.numel()),
          .centred = plain.min().item<double>() < 0,
          .x_range = ends_of(matrix.columns),
          .y_range = ends_of(matrix.rows)};
}

}  // namespace descramble
