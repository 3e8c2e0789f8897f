#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/data/data_set.h"
#include "descramble/plot/figure.h"

namespace [[gnu::visibility("default")]] descramble {

/// A matrix of a run (weights, a rotation, a Jacobian) that is read.
struct MatrixView {
  std::string title{};  ///< "P W of fc1"
  at::Tensor values{};  ///< [rows, columns], float64, finite
  AxisScale rows{};     ///< physical meaning, where it is known
  AxisScale columns{};  ///< physical meaning, where it is known
};

/// One number that a reading gives.
struct Answer {
  std::string name{};                   ///< "ridge_exponent"
  double value = 0;                     ///< finite
  std::optional<double> uncertainty{};  ///< one standard error; absent: not known
  std::string unit{};                   ///< "bins", "µs"; empty: a pure number
};

/// The answers of a reading to its question, and figures that show them.
struct Reading {
  std::vector<Answer> answers{};  ///< the answers, in the order in which they are shown
  std::vector<std::pair<std::string, Drawing>> figures{};  ///< name, drawing
  std::vector<std::string> notes{};  ///< what a reader should know, one sentence each
};

/// The standard error (absent where the formula has none) of a coefficient of determination R² of n
/// values and k fitted parameters, √(4 R² (1 − R²)² (n − k − 1)² / ((n² − 1)(n + 3))).
/// @source Olkin and Finn, Psychological Bulletin 118 (1995) 155; Cohen et al. (2003), p. 88.
std::optional<double> r2_error(double r2, double n, double parameters);

}  // namespace descramble
