#include "analysis/noise_floor.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/analysis/certificate.h"
#include "descramble/analysis/insertion.h"
#include "descramble/core/random.h"
#include "descramble/taps/axis.h"
#include "descramble/taps/tapped_model.h"

namespace descramble {

namespace {

double last_place(at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return std::numeric_limits<double>::epsilon();
    case at::kHalf:
      return 0x1p-10;
    case at::kBFloat16:
      return 0x1p-7;
    default:
      return std::numeric_limits<float>::epsilon();
  }
}

}  // namespace

double noise_floor(const Subject& subject, const std::vector<std::string>& taps, double measured) {
  const TappedModel tapped = tap_model(subject.check_model(), taps);
  double floor = subject.check.rerun;
  constexpr std::uint64_t usual = 3;
  constexpr std::uint64_t most = 32;
  for (std::uint64_t run = 0; run < most; ++run) {
    if (run >= usual && measured <= allowed_by(subject, floor)) break;
    RandomStream stream = random_stream(subject.seed, "noise floor", run);
    std::vector<Watch> watches;
    for (const std::string& tap : taps) {
      const TapPoint& point = tapped.point(tap);
      watches.push_back(tapped.replace(tap, [&stream, &point](const at::Tensor& value) {
        const at::Tensor wide = value.to(at::kDouble);
        const at::Tensor noise = stream.normal_tensor(value.sizes().vec()).to(wide.device());
        const auto d = static_cast<double>(axis_size(value, default_axis(value, point)));
        const double size = last_place(value.scalar_type()) * std::sqrt(d);
        return (wide + size * wide.square().mean().sqrt() * noise).to(value.scalar_type());
      }));
    }
    floor = std::max(floor, subject.check.difference([&](const std::vector<at::Tensor>& inputs) {
      return tapped.forward(inputs);
    }));
  }
  return floor;
}

double allowed_by(const Subject& subject, double floor) {
  if (subject.tolerance > 0) return subject.tolerance;
  return std::max(allowed_difference(subject.model.dtype()), 2 * floor);
}

std::string floor_warning(const Subject& subject, const std::vector<std::string>& taps,
                          double floor) {
  const double limit = allowed_difference(subject.model.dtype());
  if (2 * floor <= limit) return "";
  return fmt::format(
      "{}: noise of the size of rounding changes the output by {:.1e} (usual limit {:.0e}), so a "
      "pair of rotations is judged by twice that",
      fmt::join(taps, ", "), floor, limit);
}

}  // namespace descramble
