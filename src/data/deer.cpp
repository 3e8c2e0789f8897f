#include "descramble/data/deer.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>

#include <cerf.h>
#include <fmt/format.h>

#include "data/generated_set.h"
#include "descramble/core/error.h"

namespace descramble {

namespace {

constexpr double electron_gyromagnetic_ratio = -1.76085963023e11;  // rad/(s T)
constexpr double reduced_planck = 1.054571628e-34;                 // J s
constexpr double magnetic_constant_by_4pi = 1e-7;                  // μ₀/4π, T² m³/J
constexpr double angstrom = 1e-10;
constexpr double angstroms_per_nm = 10;
constexpr double microsecond = 1e-6;

/// Standard deviation of a Gaussian of full width 1 at half maximum.
const double deviation_of_width = 1 / std::sqrt(8 * std::numbers::ln2);

/// The distance in Å at which the dipolar frequency D/2π is `frequency` per µs.
double distance_of_frequency(double frequency) {
  return std::cbrt(dipolar_coupling(1) / (2 * std::numbers::pi * frequency));
}

std::vector<double> time_grid(const DeerOptions& options) {
  if (options.times.empty()) return evenly_spaced(0, options.time_max, options.points);
  const std::vector<double>& times = options.times;
  constexpr std::size_t most = 2048;  // the kernel's table holds the square of it
  if (times.size() < 8 || times.size() > most) {
    throw Error({times.size() < 8 ? "too few times" : "too many times", "times",
                 fmt::format("8 to {}", most), fmt::format("{}", times.size())});
  }
  if (times.front() != 0)
    throw Error({"times do not begin at zero", "times/0", "0", fmt::format("{}", times.front())});
  for (std::size_t i = 1; i < times.size(); ++i) {
    if (times[i] > times[i - 1]) continue;
    throw Error({"times do not increase", fmt::format("times/{}", i),
                 fmt::format("more than {}", times[i - 1]), fmt::format("{}", times[i])});
  }
  return times;
}

/// The distances that the time grid resolves: at the shortest one the frequency 2D/2π is half the
/// sampling rate, at the longest one half a period of it fits into the trace.
std::pair<double, double> reach_of(const std::vector<double>& times) {
  double step = 0;
  for (std::size_t i = 1; i < times.size(); ++i) step = std::max(step, times[i] - times[i - 1]);
  return {distance_of_frequency(1 / (4 * step)), distance_of_frequency(1 / (2 * times.back()))};
}

/// low + (high − low)·|u + v − 1|, u and v uniform: small values are more frequent.
double triangular(RandomStream& random, double low, double high) {
  const double u = random.uniform();
  const double v = random.uniform();
  return low + (high - low) * std::abs(u + v - 1);
}

}  // namespace

double dipolar_coupling(double distance) {
  const double meters = distance * angstrom;
  return electron_gyromagnetic_ratio * electron_gyromagnetic_ratio * reduced_planck *
         magnetic_constant_by_4pi / (meters * meters * meters) * microsecond;
}

double deer_kernel(double distance, double time) {
  const double phase = dipolar_coupling(distance) * time;
  // The series of the integral: cos((1 − 3u²)x) = 1 − (1 − 3u²)²x²/2 + …
  if (std::abs(phase) < 1e-4) return 1 - 0.4 * phase * phase;
  // C(x) + iS(x) = (1 + i)/2 · erf(√π/2 (1 − i) x) = (1 + i)/2 · (1 − exp(iπx²/2) w(a + ia)),
  // a = √π x/2, w the Faddeeva function; πx²/2 = 3Dt.
  const double x = std::sqrt(6 * phase / std::numbers::pi);
  const double a = std::sqrt(std::numbers::pi) * x / 2;
  const double real = re_w_of_z(a, a);
  const double imaginary = im_w_of_z(a, a);
  const double cosine = std::cos(3 * phase);
  const double sine = std::sin(3 * phase);
  const double erf_real = 1 - (cosine * real - sine * imaginary);
  const double erf_imaginary = -(cosine * imaginary + sine * real);
  const double fresnel_c = (erf_real - erf_imaginary) / 2;
  const double fresnel_s = (erf_real + erf_imaginary) / 2;
  return (std::cos(phase) * fresnel_c + std::sin(phase) * fresnel_s) / x;
}

DeerSimulator::DeerSimulator(const DeerOptions& options)
    : options_(options), times_(time_grid(options)) {
  const auto [shortest, longest] = reach_of(times_);
  // A distance that is written with few digits may be the end of the reach itself.
  constexpr double rounding = 1e-3;
  for (const auto& [name, given] :
       {std::pair{"distance_min", options.distance_min}, {"distance_max", options.distance_max}}) {
    if (!given || (*given >= shortest - rounding && *given <= longest + rounding)) continue;
    throw Error({"a distance that the time grid does not resolve", name,
                 fmt::format("{:.3f} to {:.3f} Å", shortest, longest),
                 fmt::format("{} Å", *given)});
  }
  const double low = options.distance_min.value_or(shortest);
  const double high = options.distance_max.value_or(longest);
  if (low >= high) {
    throw Error({"no distances", "distance_min", fmt::format("less than {} Å", high),
                 fmt::format("{} Å", low)});
  }
  const auto most = static_cast<std::int64_t>((high - low) / (0.025 * high));
  if (options.gaussians > std::max<std::int64_t>(1, most)) {
    throw Error({"more Gaussians than fit between the distances", "gaussians",
                 fmt::format("at most {}", std::max<std::int64_t>(1, most)),
                 fmt::format("{}", options.gaussians)});
  }
  distances_ = evenly_spaced(low, high, static_cast<std::int64_t>(times_.size()));
  kernel_.reserve(distances_.size() * times_.size());
  for (const double distance : distances_) {
    for (const double time : times_) kernel_.push_back(deer_kernel(distance, time));
  }
}

DeerSimulator::Trace DeerSimulator::draw(RandomStream& random) const {
  const double low = distances_.front();
  const double range = distances_.back() - low;
  Trace trace;
  trace.distribution.assign(distances_.size(), 0);
  const std::int64_t count = 1 + random.below(options_.gaussians);
  for (std::int64_t k = 0; k < count; ++k) {
    const double amplitude = random.uniform();
    const double position = triangular(random, low, low + range);
    const double deviation = deviation_of_width * triangular(random, 0.025 * position, 0.5 * range);
    for (std::size_t j = 0; j < distances_.size(); ++j) {
      const double z = (distances_[j] - position) / deviation;
      trace.distribution[j] += amplitude * std::exp(-z * z / 2);
    }
  }
  const double sum = std::accumulate(trace.distribution.begin(), trace.distribution.end(), 0.0);
  const std::size_t n = times_.size();
  trace.form_factor.assign(n, 0);
  for (std::size_t j = 0; j < distances_.size(); ++j) {
    const double share = trace.distribution[j] / sum;
    const double* row = kernel_.data() + j * n;
    for (std::size_t i = 0; i < n; ++i) trace.form_factor[i] += share * row[i];
  }
  const double spacing = range / static_cast<double>(distances_.size() - 1) / angstroms_per_nm;
  for (double& density : trace.distribution) density /= sum * spacing;

  trace.depth = random.uniform(options_.depth_min, options_.depth_max);
  const double dimension = random.uniform(options_.dimension_min, options_.dimension_max);
  const double rate = random.uniform(0, options_.background_max);
  const double level = random.uniform() * options_.noise * trace.depth;
  trace.clean.resize(n);
  trace.noise.resize(n);
  for (std::size_t i = 0; i < n; ++i) {
    const double background = std::exp(-std::pow(rate * times_[i], dimension / 3));
    trace.clean[i] = (1 - trace.depth + trace.depth * trace.form_factor[i]) * background;
    trace.noise[i] = level * random.normal();
  }
  return trace;
}

}  // namespace descramble
