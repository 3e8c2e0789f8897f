#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/fft_fft.h>
#include <ATen/ops/fft_fft2.h>
#include <ATen/ops/fft_fftshift.h>
#include <ATen/ops/linalg_svd.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/reading/kinds.h"

namespace descramble {

namespace {

constexpr std::int64_t least_side = 16;

/// Frequencies from 0 on of a spectrum whose zero lies at n/2; for even n without n/2 itself.
at::Tensor positive_half(const at::Tensor& shifted) {
  const std::int64_t n = shifted.size(-1);
  return shifted.narrow(-1, n / 2, n - n / 2).contiguous();
}

struct Edges {
  double low = 0;  ///< in bins from zero
  double high = 0;
  double low_error = 0;
  double high_error = 0;
  double notch = 0;  ///< amplitude at zero, relative to the largest
};

/// The place where log(profile) crosses log(level), going from the peak in steps of `step`.
double crossing(const std::vector<double>& profile, std::size_t peak, int step, double level) {
  double place = static_cast<double>(peak);
  for (std::size_t i = peak;;) {
    if (step < 0 ? i == 0 : i + 1 == profile.size())
      return step < 0 ? 0 : static_cast<double>(profile.size() - 1);
    const std::size_t next = step < 0 ? i - 1 : i + 1;
    if (profile[next] < level) {
      const double here = std::log(profile[i] / level);
      const double there = std::log(level / std::max(profile[next], 1e-300));
      return place + step * here / (here + there);
    }
    i = next;
    place += step;
  }
}

/// The pass band of an amplitude profile: it ends where the profile falls below the geometric mean
/// of its largest value and its floor, the median of the outer quarter.
Edges edges_of(const std::vector<double>& profile) {
  std::vector<double> outer(profile.end() - static_cast<std::ptrdiff_t>(profile.size() / 4),
                            profile.end());
  std::nth_element(outer.begin(), outer.begin() + static_cast<std::ptrdiff_t>(outer.size() / 2),
                   outer.end());
  const auto peak =
      static_cast<std::size_t>(std::max_element(profile.begin(), profile.end()) - profile.begin());
  const double most = profile[peak];
  const double floor = std::max(outer[outer.size() / 2], 1e-12 * most);
  const double level = std::sqrt(most * floor);
  // How far the ends move when the level changes by a quarter of its distance to either side.
  const double shift = std::pow(most / floor, 0.125);
  Edges edges;
  edges.low = crossing(profile, peak, -1, level);
  edges.high = crossing(profile, peak, 1, level);
  edges.low_error = std::abs(crossing(profile, peak, -1, level * shift) -
                             crossing(profile, peak, -1, level / shift)) /
                    2;
  edges.high_error = std::abs(crossing(profile, peak, 1, level * shift) -
                              crossing(profile, peak, 1, level / shift)) /
                     2;
  edges.notch = most > 0 ? profile[0] / most : 0;
  return edges;
}

struct Ridge {
  std::vector<double> u{};  ///< row frequency, or number of the singular vector
  std::vector<double> v{};  ///< column frequency of the peak
  double exponent = 0;
  double error = 0;
  double factor = 0;
  double r2 = 0;
  double cubic_factor = 0;
  double cubic_r2 = 0;
};

/// The strongest row frequency u of each column frequency v that holds at least a twentieth of the
/// largest amplitude, as the centroid of the energy within two bins, and the law v = A u^p by least
/// squares of log u against log v.
Ridge ridge_of(const at::Tensor& magnitude) {
  Ridge ridge;
  const double most = magnitude.max().item<double>();
  const at::Tensor columns = magnitude.t().contiguous();
  for (std::int64_t v = 1; v < columns.size(0); ++v) {
    const at::Tensor column = columns[v];
    const auto peak = column.argmax().item<std::int64_t>();
    if (column[peak].item<double>() < most / 20) continue;
    const std::int64_t begin = std::max<std::int64_t>(peak - 2, 0);
    const std::int64_t end = std::min(peak + 3, column.size(0));
    double energy = 0;
    double moment = 0;
    for (std::int64_t u = begin; u < end; ++u) {
      const double one = column[u].item<double>();
      energy += one * one;
      moment += one * one * static_cast<double>(u);
    }
    if (moment < energy / 2) continue;  // at u = 0 there is no law
    ridge.u.push_back(moment / energy);
    ridge.v.push_back(static_cast<double>(v));
  }
  const auto n = static_cast<double>(ridge.u.size());
  if (ridge.u.size() < 4) return ridge;
  double sx = 0, sy = 0, sxx = 0, sxy = 0, syy = 0;
  for (std::size_t i = 0; i < ridge.u.size(); ++i) {
    const double x = std::log(ridge.v[i]);
    const double y = std::log(ridge.u[i]);
    sx += x;
    sy += y;
    sxx += x * x;
    sxy += x * y;
    syy += y * y;
  }
  const double cxx = sxx - sx * sx / n;
  const double cxy = sxy - sx * sy / n;
  const double cyy = syy - sy * sy / n;
  const double slope = cxy / cxx;  // 1/p
  const double residual = std::max(0.0, cyy - slope * cxy);
  ridge.exponent = 1 / slope;
  ridge.error = std::sqrt(residual / (n - 2) / cxx) / (slope * slope);
  ridge.factor = std::exp(-(sy - slope * sx) / n / slope);
  ridge.r2 = cyy > 0 ? 1 - residual / cyy : 0;
  ridge.cubic_factor = std::exp(-3 * (sy - sx / 3) / n);
  const double cubic = cyy - 2 * cxy / 3 + cxx / 9;  // Σ (y − x/3 − mean)²
  ridge.cubic_r2 = cyy > 0 ? 1 - cubic / cyy : 0;
  return ridge;
}

Picture picture_of(const at::Tensor& magnitude, const MatrixView& matrix, bool rows_are_vectors) {
  const std::int64_t rows = magnitude.size(0);
  const std::int64_t columns = magnitude.size(1);
  const at::Tensor plain = magnitude.contiguous();
  const auto* data = plain.data_ptr<double>();
  const auto zero = static_cast<double>(columns / 2);
  const auto middle = static_cast<double>(rows / 2);
  return {.title = "Fourier magnitude: " + matrix.title,
          .x_title = "frequency along the columns / bins",
          .y_title = rows_are_vectors ? "singular vector" : "frequency along the rows / bins",
          .label = "magnitude",
          .rows = static_cast<std::size_t>(rows),
          .columns = static_cast<std::size_t>(columns),
          .values = std::vector<double>(data, data + plain.numel()),
          .x_range = std::pair{-zero, static_cast<double>(columns - 1) - zero},
          .y_range = rows_are_vectors ? std::pair{1.0, static_cast<double>(rows)}
                                      : std::pair{-middle, static_cast<double>(rows - 1) - middle}};
}

void add_band(const at::Tensor& magnitude, const MatrixView& matrix, Reading& reading) {
  const at::Tensor half = positive_half(magnitude.pow(2).sum(0).sqrt());
  std::vector<double> profile(half.data_ptr<double>(), half.data_ptr<double>() + half.numel());
  const Edges edges = edges_of(profile);
  reading.answers.push_back({"band_low", edges.low, edges.low_error, "bins"});
  reading.answers.push_back({"band_high", edges.high, edges.high_error, "bins"});
  reading.answers.push_back({.name = "notch", .value = edges.notch});
  const std::vector<double>& scale = matrix.columns.values;
  double bin = 0;
  if (scale.size() == static_cast<std::size_t>(matrix.values.size(1)) &&
      scale.back() > scale.front()) {
    const auto n = static_cast<double>(scale.size());
    bin = (n - 1) / (n * (scale.back() - scale.front()));
    const std::string unit =
        "per " + matrix.columns.title.substr(
                     std::min(matrix.columns.title.size(), matrix.columns.title.rfind('/') + 2));
    reading.answers.push_back({"band_low_frequency", edges.low * bin, edges.low_error * bin, unit});
    reading.answers.push_back(
        {"band_high_frequency", edges.high * bin, edges.high_error * bin, unit});
  }
  Series series{.label = "amplitude"};
  for (std::size_t i = 0; i < profile.size(); ++i) {
    series.x.push_back(static_cast<double>(i));
    series.y.push_back(
        std::max(profile[i], 1e-12 * *std::max_element(profile.begin(), profile.end())));
  }
  reading.figures.emplace_back(
      "band", Figure{.title = fmt::format("{}: band from {:.1f} to {:.1f} bins", matrix.title,
                                          edges.low, edges.high),
                     .x_title = "frequency along the columns / bins",
                     .y_title = "amplitude, all rows",
                     .log_y = true,
                     .series = {std::move(series)}});
}

void add_ridge(const Ridge& ridge, const MatrixView& matrix, bool vectors, Reading& reading) {
  if (ridge.u.size() < 4) {
    reading.notes.push_back("fewer than 4 columns have a peak: no ridge was fitted");
    return;
  }
  // The slope 1/p of the fit, in units of its standard error p'/p².
  if (!(std::abs(ridge.exponent) > 3 * ridge.error)) {
    reading.notes.push_back(
        fmt::format("no ridge: the slope of the peaks is within three standard errors of zero "
                    "(R² {:.3f})",
                    ridge.r2));
    reading.answers.push_back({.name = "ridge_r2", .value = ridge.r2});
    return;
  }
  reading.answers.push_back({"ridge_exponent", ridge.exponent, ridge.error, ""});
  // Log v regressed on log u: the slope p R². The truth lies between the two if both scatter.
  reading.answers.push_back({.name = "ridge_exponent_reverse", .value = ridge.exponent * ridge.r2});
  reading.answers.push_back({.name = "ridge_factor", .value = ridge.factor});
  reading.answers.push_back(
      {"ridge_r2", ridge.r2, r2_error(ridge.r2, static_cast<double>(ridge.u.size()), 2), ""});
  reading.answers.push_back({.name = "cubic_factor", .value = ridge.cubic_factor});
  reading.answers.push_back({.name = "cubic_r2", .value = ridge.cubic_r2});
  Series law{.label = fmt::format("v = {:.3g} u^{:.2f}", ridge.factor, ridge.exponent),
             .x = ridge.v};
  Series cubic{.label = fmt::format("v = {:.2g} u³", ridge.cubic_factor), .x = ridge.v};
  for (const double v : ridge.v) {
    law.y.push_back(std::pow(v / ridge.factor, 1 / ridge.exponent));
    cubic.y.push_back(std::cbrt(v / ridge.cubic_factor));
  }
  reading.figures.emplace_back(
      "ridge", Figure{.title = fmt::format("{}: ridge, exponent {:.2f} ± {:.2f}", matrix.title,
                                           ridge.exponent, ridge.error),
                      .x_title = "frequency along the columns v / bins",
                      .y_title = vectors ? "strongest singular vector u"
                                         : "strongest frequency along the rows u / bins",
                      .log_x = true,
                      .log_y = true,
                      .series = {Series{.label = "peaks", .x = ridge.v, .y = ridge.u},
                                 std::move(law), std::move(cubic)}});
}

at::Tensor not_zero(const MatrixView& matrix) {
  const double largest = matrix.values.abs().max().item<double>();
  if (largest > 0) return matrix.values;
  throw Error({"no Fourier transform of zeros", matrix.title, "a number other than zero", "zeros"});
}

Reading read_fourier(const MatrixView& matrix, const MatrixView*, const Settings& settings) {
  const bool vectors = settings.text("of") == "right_singular_vectors";
  if (matrix.values.size(0) < 4 || matrix.values.size(1) < least_side) {
    throw Error({"the matrix is too small for a Fourier transform that says anything", matrix.title,
                 fmt::format("4 rows and {} columns", least_side),
                 fmt::format("{} x {}", matrix.values.size(0), matrix.values.size(1))});
  }
  const at::Tensor values = not_zero(matrix);
  Reading reading;
  at::Tensor magnitude;
  at::Tensor quarter;  // rows from zero on, column frequencies from zero on
  if (vectors) {
    const at::Tensor rows = std::get<2>(at::linalg_svd(values, false));
    magnitude = at::abs(at::fft_fftshift(at::fft_fft(rows), {1}));
    quarter = at::cat(
        {at::zeros({1, positive_half(magnitude).size(1)}, at::kDouble), positive_half(magnitude)});
  } else {
    magnitude = at::abs(at::fft_fftshift(at::fft_fft2(values)));
    // The amplitude over all rows is the same in every basis of the rows.
    add_band(magnitude, matrix, reading);
    // The mirror: the sum is the same for both signs of each frequency.
    const at::Tensor other = at::abs(at::fft_fftshift(at::fft_fft2(values.flip(1))));
    magnitude = magnitude + other;
    const std::int64_t r = magnitude.size(0);
    quarter = positive_half(magnitude.narrow(0, r / 2, r - r / 2));
  }
  if (vectors) add_band(magnitude, matrix, reading);
  add_ridge(ridge_of(quarter), matrix, vectors, reading);
  reading.figures.emplace_back("fourier", picture_of(magnitude, matrix, vectors));
  return reading;
}

}  // namespace

const ReadingKind& reading_kind_fourier() {
  static const ReadingKind kind{
      .info = {.name = "fourier",
               .summary = "the two-dimensional Fourier magnitude: ends of the pass band, notch at "
                          "zero, power law of the ridge",
               .formula = "|fft2(M)| and its mirror; the band ends where the amplitude over all "
                          "rows falls below sqrt(largest * floor), floor the median of the outer "
                          "quarter; ridge v = A u^p through the strongest row frequency u of "
                          "each column frequency v",
               .source = "Amey, Keeley, Choudhury, Kuprov, PNAS 118 (2021): first layer of DEERNet",
               .fields = {{.name = "of",
                           .type = FieldType::string,
                           .doc = "matrix: itself; right_singular_vectors: its right singular "
                                  "vectors, one row each, transformed along the columns alone",
                           .fallback = "matrix",
                           .choices = {"matrix", "right_singular_vectors"}}}},
      .read = read_fourier};
  return kind;
}

}  // namespace descramble
