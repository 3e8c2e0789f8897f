#pragma once

#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/data/data_set.h"

namespace descramble {

/// Samples with all tensors in memory.
class HeldTensors final : public DataSet {
 public:
  /// `all`: checked inputs and labels. `files`: that they were read from.
  HeldTensors(std::vector<std::string> names, Batch all, std::vector<InputFile> files)
      : names_(std::move(names)), all_(std::move(all)), files_(std::move(files)) {}

  std::int64_t size() const override { return all_.inputs.front().size(0); }
  bool has_labels() const override { return all_.labels.defined(); }
  std::vector<InputFile> files() const override { return files_; }
  std::vector<std::string> input_names() const override { return names_; }
  Batch gather(const std::vector<std::int64_t>& indices) const override;

 private:
  std::vector<std::string> names_;
  Batch all_;
  std::vector<InputFile> files_;
};

/// Classes as int64, targets unchanged. @throws Error naming `where` for anything else
at::Tensor checked_labels(const at::Tensor& labels, const std::string& where);

/// @throws Error naming `where` if the tensor holds no samples, or a number other than `samples`
/// (−1: any number is allowed); `like` names the tensor with that number
void require_samples(const at::Tensor& tensor, std::int64_t samples, const std::string& like,
                     const std::string& where);

}  // namespace descramble
