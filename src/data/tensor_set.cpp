#include "descramble/data/tensor_set.h"

#include <memory>

#include <ATen/ops/index_select.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "data/held_tensors.h"
#include "data/samples.h"
#include "descramble/core/error.h"

namespace descramble {

namespace {

std::string found_text(const at::Tensor& tensor) {
  return fmt::format("{} of shape [{}]", c10::toString(tensor.scalar_type()),
                     fmt::join(tensor.sizes(), ", "));
}

}  // namespace

Batch HeldTensors::gather(const std::vector<std::int64_t>& indices) const {
  check_indices(indices, size());
  const at::Tensor index = int64_tensor(indices);
  const auto rows = [&](const at::Tensor& tensor) {
    return at::index_select(tensor, 0, index.to(tensor.device()));
  };
  Batch batch;
  for (const at::Tensor& input : all_.inputs) batch.inputs.push_back(rows(input));
  if (has_labels()) batch.labels = rows(all_.labels);
  return batch;
}

at::Tensor checked_labels(const at::Tensor& labels, const std::string& where) {
  if (labels.is_floating_point()) return labels;
  if (!at::isIntegralType(labels.scalar_type(), false) || labels.dim() != 1) {
    throw Error({"not labels", where,
                 "integers of shape [N] (classes), or floating-point numbers of shape [N, ...]",
                 found_text(labels)});
  }
  const at::Tensor classes = labels.to(at::kLong);
  if (const auto least = classes.min().item<std::int64_t>(); least < 0)
    throw Error({"not labels", where, "classes >= 0", std::to_string(least)});
  return classes;
}

void require_samples(const at::Tensor& tensor, std::int64_t samples, const std::string& like,
                     const std::string& where) {
  if (tensor.dim() == 0 || tensor.size(0) == 0) {
    throw Error({"no samples in the tensor", where, "at least one, as its first dimension",
                 found_text(tensor)});
  }
  if (samples >= 0 && tensor.size(0) != samples) {
    throw Error({"tensors differ in number of samples", where,
                 fmt::format("{}, as '{}' has", samples, like), std::to_string(tensor.size(0))});
  }
}

Source tensor_set(const std::vector<at::Tensor>& inputs, const at::Tensor& labels,
                  std::int64_t batch_size, const std::vector<std::string>& names) {
  if (inputs.empty()) throw Error({"no inputs", "tensor_set", "at least one tensor", "none"});
  if (!names.empty() && names.size() != inputs.size()) {
    throw Error({"names do not fit the inputs", "tensor_set", fmt::format("{}", inputs.size()),
                 fmt::format("{}", names.size())});
  }
  if (batch_size < 1) {
    throw Error({"no batch size", "tensor_set", "at least 1", fmt::format("{}", batch_size)});
  }
  const std::string first = names.empty() ? "input" : names[0];
  Batch all;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::string where = !names.empty() ? names[i]
                              : i == 0       ? first
                                             : fmt::format("input_{}", i);
    if (!inputs[i].defined()) throw Error({"no tensor", where, "a tensor", "an undefined one"});
    require_samples(inputs[i], i == 0 ? -1 : inputs[0].size(0), first, where);
    all.inputs.push_back(inputs[i].detach());
  }
  if (labels.defined()) {
    require_samples(labels, inputs[0].size(0), first, "labels");
    all.labels = checked_labels(labels.detach(), "labels");
  }
  return {std::make_shared<HeldTensors>(names, std::move(all), std::vector<InputFile>{}),
          batch_size};
}

Source tensor_set(const at::Tensor& inputs, const at::Tensor& labels, std::int64_t batch_size) {
  return tensor_set(std::vector<at::Tensor>{inputs}, labels, batch_size);
}

}  // namespace descramble
