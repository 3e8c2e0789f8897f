#include "descramble/analysis/insertion.h"

#include <algorithm>

#include "analysis/noise_floor.h"

namespace descramble {

std::vector<Watch> insert_pairs(const TappedModel& tapped, const std::vector<RotatedTap>& taps) {
  std::vector<Watch> watches;
  for (const RotatedTap& one : taps) {
    watches.push_back(tapped.replace(one.space.name, [&one](const at::Tensor& value) {
      return one.pair.round_trip(value, one.space.axis);
    }));
  }
  return watches;
}

namespace {

std::vector<std::string> names_of(const std::vector<RotatedTap>& taps) {
  std::vector<std::string> names;
  for (const RotatedTap& one : taps) names.push_back(one.space.name);
  return names;
}

}  // namespace

double inserted_difference(const Subject& subject, const std::vector<RotatedTap>& taps) {
  const TappedModel tapped = tap_model(subject.check_model(), names_of(taps));
  const std::vector<Watch> watches = insert_pairs(tapped, taps);
  return subject.check.difference(
      [&tapped](const std::vector<at::Tensor>& inputs) { return tapped.forward(inputs); });
}

Certificate certify(const Subject& subject, const std::vector<RotatedTap>& taps,
                    std::vector<std::string>& warnings) {
  Certificate certificate;
  for (const RotatedTap& one : taps) {
    certificate.orthogonality = std::max(certificate.orthogonality, one.pair.orthogonality());
    certificate.orthogonality_in_model =
        std::max(certificate.orthogonality_in_model, one.pair.orthogonality(one.space.dtype));
  }
  const std::vector<std::string> names = names_of(taps);
  certificate.inserted = inserted_difference(subject, taps);
  certificate.floor = noise_floor(subject, names, certificate.inserted);
  if (const std::string warning = floor_warning(subject, names, certificate.floor);
      !warning.empty())
    warnings.push_back(warning);
  return certificate;
}

RotationEdit edit_of(const RotatedTap& tap) {
  return {tap.space.name, tap.space.axis, static_cast<std::int64_t>(tap.space.shape.size()) + 1,
          tap.pair.matrix(), tap.space.dtype};
}

}  // namespace descramble
