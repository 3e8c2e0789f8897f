#pragma once

#include <nlohmann/json_fwd.hpp>

#include "descramble/plot/figure.h"

namespace descramble {

/// The numbers of a figure, so that a page can tell them. "kind" is
/// - "curves": titles, `series` (label, x, y, and low, high of a band; null: a gap; number of the
///   colour and of the dash), `references`, `y_range`;
/// - "matrices": `panels`, each with its `values` (float32, little endian, row by row, base64) and
///   its `place` in the drawing (left, top, right, bottom as fractions). A matrix with more than
///   96 rows or columns has means over square blocks of neighbouring entries; `of` says of how
///   many rows and columns;
/// - "strips": `strips`, each with the captions of its columns and what they show in words, and the
///   places of rows and columns in the drawing.
nlohmann::json figure_data(const Drawing& figure);

/// The data again. @throws Error for what `figure_data` does not make: a file may be damaged
const nlohmann::json& checked_figure_data(const nlohmann::json& data);

}  // namespace descramble
