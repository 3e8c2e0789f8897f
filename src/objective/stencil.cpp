#include "descramble/objective/stencil.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include <ATen/ops/empty.h>
#include <fmt/format.h>

#include "descramble/core/error.h"

namespace descramble {

namespace {

constexpr double pi = std::numbers::pi;

struct StencilName {
  Stencil stencil;
  const char* name;
};

constexpr StencilName entries[] = {{Stencil::fourier_first, "fourier_first"},
                                   {Stencil::fourier_second, "fourier_second"},
                                   {Stencil::forward_free, "forward_free"},
                                   {Stencil::forward_periodic, "forward_periodic"},
                                   {Stencil::central_periodic, "central_periodic"}};

/// λ of the mode with k periods on the circle of d points.
double circle_value(Stencil stencil, std::int64_t k, std::int64_t d) {
  const auto frequency = static_cast<double>(k);
  const double angle = pi * frequency / static_cast<double>(d);
  const bool nyquist = 2 * k == d;
  switch (stencil) {
    case Stencil::fourier_first:
      return nyquist ? 0.0 : frequency * frequency;
    case Stencil::fourier_second:
      return frequency * frequency * frequency * frequency;
    case Stencil::forward_periodic:
      return 4 * std::sin(angle) * std::sin(angle);
    case Stencil::central_periodic:
      return nyquist ? 0.0 : std::sin(2 * angle) * std::sin(2 * angle);
    case Stencil::forward_free:
      break;
  }
  return 0;
}

/// cos or sin of 2πkl/d with the product reduced first, so that large k·l lose nothing.
double circle_wave(bool sine, std::int64_t k, std::int64_t l, std::int64_t d) {
  const double angle = 2 * pi * static_cast<double>((k * l) % d) / static_cast<double>(d);
  return sine ? std::sin(angle) : std::cos(angle);
}

struct Mode {
  double value;
  std::int64_t k;
  bool sine;
};

StencilSpectrum circle_spectrum(Stencil stencil, std::int64_t d) {
  std::vector<Mode> modes;
  for (std::int64_t k = 0; 2 * k <= d; ++k) {
    modes.push_back({circle_value(stencil, k, d), k, false});
    if (k != 0 && 2 * k != d) modes.push_back({circle_value(stencil, k, d), k, true});
  }
  // Equal λ (the null vectors; of the central stencil also k and d/2 − k) keep the order of k.
  std::stable_sort(modes.begin(), modes.end(),
                   [](const Mode& a, const Mode& b) { return a.value < b.value - 1e-13; });
  StencilSpectrum result{at::empty({d}, at::kDouble), at::empty({d, d}, at::kDouble)};
  double* values = result.values.data_ptr<double>();
  double* vectors = result.vectors.data_ptr<double>();
  for (std::int64_t column = 0; column < d; ++column) {
    const Mode& mode = modes[static_cast<std::size_t>(column)];
    values[column] = mode.value;
    const bool single = mode.k == 0 || 2 * mode.k == d;
    const double norm = std::sqrt((single ? 1.0 : 2.0) / static_cast<double>(d));
    for (std::int64_t l = 0; l < d; ++l) {
      vectors[l * d + column] = norm * (single ? (mode.k != 0 && l % 2 == 1 ? -1.0 : 1.0)
                                               : circle_wave(mode.sine, mode.k, l, d));
    }
  }
  return result;
}

StencilSpectrum open_spectrum(std::int64_t d) {
  StencilSpectrum result{at::empty({d}, at::kDouble), at::empty({d, d}, at::kDouble)};
  double* values = result.values.data_ptr<double>();
  double* vectors = result.vectors.data_ptr<double>();
  for (std::int64_t k = 0; k < d; ++k) {
    const double half = std::sin(pi * static_cast<double>(k) / static_cast<double>(2 * d));
    values[k] = 4 * half * half;
    const double norm = std::sqrt((k == 0 ? 1.0 : 2.0) / static_cast<double>(d));
    for (std::int64_t l = 0; l < d; ++l) {
      const std::int64_t phase = (k * (2 * l + 1)) % (4 * d);
      vectors[l * d + k] =
          norm * std::cos(pi * static_cast<double>(phase) / static_cast<double>(2 * d));
    }
  }
  return result;
}

}  // namespace

std::string stencil_name(Stencil stencil) {
  for (const StencilName& entry : entries) {
    if (entry.stencil == stencil) return entry.name;
  }
  return "";
}

std::vector<std::string> stencil_names() {
  std::vector<std::string> names;
  for (const StencilName& entry : entries) names.emplace_back(entry.name);
  return names;
}

Stencil parse_stencil(const std::string& name) {
  for (const StencilName& entry : entries) {
    if (name == entry.name) return entry.stencil;
  }
  throw Error({"unknown stencil", "", "one of " + quoted_list(stencil_names()), "'" + name + "'"});
}

StencilSpectrum stencil_spectrum(Stencil stencil, std::int64_t d) {
  if (d < 1) throw Error({"bad size of a stencil", "", "d >= 1", fmt::format("{}", d)});
  return stencil == Stencil::forward_free ? open_spectrum(d) : circle_spectrum(stencil, d);
}

}  // namespace descramble
