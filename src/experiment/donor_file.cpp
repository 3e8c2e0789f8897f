#include "experiment/donor_file.h"

#include <algorithm>
#include <cctype>
#include <vector>

#include <ATen/ops/isfinite.h>

#include "data/tensor_file.h"
#include "descramble/core/error.h"
#include "descramble/model/model.h"

namespace descramble {

namespace {

/// "steps.3." of "steps.3.fc1.values"; empty if a name does not begin like that.
std::string step_prefix(const std::string& name) {
  constexpr std::string_view begin = "steps.";
  if (!name.starts_with(begin)) return "";
  std::size_t end = begin.size();
  while (end < name.size() && std::isdigit(static_cast<unsigned char>(name[end])) != 0) ++end;
  if (end == begin.size() || end == name.size() || name[end] != '.') return "";
  return name.substr(0, end + 1);
}

std::string only_values_of(const std::string& tap, const NamedTensors& tensors,
                           const std::filesystem::path& file) {
  std::vector<std::string> fitting;
  std::vector<std::string> values;
  for (const auto& [name, tensor] : tensors) {
    if (name.substr(step_prefix(name).size()) == tap + ".values") fitting.push_back(name);
    if (name.ends_with(".values")) values.push_back(name);
  }
  if (fitting.size() == 1) return fitting.front();
  if (fitting.empty()) {
    throw Error({"the capture has no values of tap '" + tap + "'", file.string(),
                 "a tensor '" + tap + ".values' of one step, or 'tensor' to name another",
                 values.empty() ? "no captured values" : quoted_list(values)});
  }
  throw Error({"the capture has several values of tap '" + tap + "'", file.string(),
               "'tensor' to name one", quoted_list(fitting)});
}

}  // namespace

DonorFile read_donor(const std::string& capture, const std::optional<std::string>& tensor,
                     const std::string& tap, const PathSearch& paths) {
  DonorFile result{.file = find_tensor_file("capture", capture, paths, "capture")};
  const std::filesystem::path& file = result.file.path;
  Donor& donor = result.donor;
  const NamedTensors tensors = load_safetensors(file);
  donor.name = tensor ? *tensor : only_values_of(tap, tensors, file);
  donor.values = find_tensor(tensors, donor.name, file);
  if (donor.values.dim() == 0 || donor.values.size(0) == 0) {
    throw Error({"no rows in '" + donor.name + "'", file.string(), "at least one",
                 shape_text(donor.values)});
  }
  if (donor.values.is_floating_point() && !at::isfinite(donor.values).all().item<bool>()) {
    throw Error({"the capture is not finite", "'" + donor.name + "' in " + file.string(),
                 "finite numbers", "inf or nan"});
  }
  const std::string prefix = step_prefix(donor.name);
  if (const auto labels = tensors.find(prefix + "labels");
      !prefix.empty() && labels != tensors.end()) {
    donor.labels = labels->second;
    if (donor.labels.dim() == 0 || donor.labels.size(0) != donor.values.size(0)) {
      throw Error({"the capture's labels do not fit its values",
                   "'" + labels->first + "' in " + file.string(),
                   std::to_string(donor.values.size(0)) + " labels, one for each row of '" +
                       donor.name + "'",
                   shape_text(donor.labels)});
    }
  }
  return result;
}

}  // namespace descramble
