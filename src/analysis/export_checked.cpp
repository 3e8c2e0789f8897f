#include "descramble/analysis/export_checked.h"

#include <algorithm>

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "analysis/method_check.h"
#include "analysis/noise_floor.h"
#include "descramble/analysis/insertion.h"
#include "descramble/core/error.h"

namespace descramble {

namespace {

/// The exported file, loaded by plain LibTorch. @throws Failure
Model loaded_again(const Subject& subject, const std::filesystem::path& file) {
  try {
    return subject.model.loaded_like(file).with_state(StatePolicy::reset);
  } catch (const Error& error) {
    // The folder of the file may no longer exist when somebody reads this message.
    Complaint complaint = error.complaint();
    complaint.what = "the exported model cannot be loaded again";
    complaint.where = file.filename().string();
    throw Failure(complaint);
  }
}

}  // namespace

void require_certificate(double measured, double allowed, const std::string& what) {
  if (measured <= allowed) return;
  throw Failure({"the certificate does not hold", what,
                 fmt::format("max|f - f'| / max|f| <= {:.0e}", allowed),
                 fmt::format("{:.3e}", measured)});
}

CheckedExport export_checked(const Subject& subject, const std::vector<RotationEdit>& edits,
                             const std::filesystem::path& file, double floor) {
  require_repeatable(subject.check, subject.model);
  ExportedModel exported = export_model(subject.model, edits);
  exported.model.save(file);
  const Model loaded = loaded_again(subject, file);
  CheckedExport result{.sides = std::move(exported.sides)};
  result.difference = subject.check.difference(
      [&loaded](const std::vector<at::Tensor>& inputs) { return loaded.forward(inputs); });
  result.allowed = allowed_by(subject, floor);
  if (result.difference > result.allowed) {
    std::vector<std::string> taps;
    for (const RotationEdit& edit : edits) taps.push_back(edit.tap);
    const double measured = noise_floor(subject, taps, result.difference);
    result.allowed = std::max(result.allowed, allowed_by(subject, measured));
  }
  require_certificate(result.difference, result.allowed, "exported model");
  result.methods = compare_methods(subject, file);
  for (const auto& [method, difference] : result.methods) {
    if (difference)
      require_certificate(*difference, result.allowed,
                          "method '" + method + "' of the exported model");
  }
  return result;
}

}  // namespace descramble
