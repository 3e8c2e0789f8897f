#include "analysis/method_check.h"

#include <algorithm>
#include <limits>
#include <optional>

#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>

#include "descramble/analysis/certificate.h"
#include "descramble/core/error.h"
#include "descramble/model/arguments.h"
#include "descramble/taps/export.h"

namespace descramble {

namespace {

void collect(const c10::IValue& value, std::vector<at::Tensor>& tensors) {
  if (value.isTensor()) {
    tensors.push_back(value.toTensor());
  } else if (value.isTuple()) {
    for (const c10::IValue& part : value.toTupleRef().elements()) collect(part, tensors);
  } else if (value.isList()) {
    for (const c10::IValue& part : value.toListRef()) collect(part, tensors);
  } else if (value.isGenericDict()) {
    for (const auto& entry : value.toGenericDict()) collect(entry.value(), tensors);
  }
}

/// Every tensor that the method returns for the check samples; nothing if it does not take them.
std::optional<std::vector<at::Tensor>> outputs_of(const Model& model, const std::string& method,
                                                  const CheckSamples& check) {
  try {
    const Model other =
        with_inputs(model.with_method(method), check.names, check.batch_dim, model.batched())
            .with_state(StatePolicy::reset);
    std::vector<at::Tensor> tensors;
    collect(other.forward_values(other.arguments(check.first_batch())), tensors);
    other.restart();
    return tensors;
  } catch (const Error&) {
    return std::nullopt;
  }
}

double difference(const std::vector<at::Tensor>& changed, const std::vector<at::Tensor>& original) {
  if (changed.size() != original.size()) return std::numeric_limits<double>::infinity();
  double worst = 0;
  for (std::size_t i = 0; i < original.size(); ++i) {
    worst = std::max(worst, relative_difference(changed[i], original[i]));
  }
  return worst;
}

}  // namespace

std::map<std::string, std::optional<double>> compare_methods(
    const Subject& subject, const std::filesystem::path& exported) {
  const at::NoGradGuard no_grad;
  std::map<std::string, std::optional<double>> result;
  const std::vector<std::string> methods = other_methods(subject.model);
  if (methods.empty()) return result;
  const Model loaded = subject.model.loaded_like(exported);
  for (const std::string& method : methods) {
    const auto original = outputs_of(subject.model, method, subject.check);
    if (!original) {
      result[method] = std::nullopt;
      continue;
    }
    const auto found = outputs_of(loaded, method, subject.check);
    if (!found) {
      throw Failure({"a method of the exported model does not run", method,
                     "that it takes what the original takes", "an error"});
    }
    result[method] = difference(*found, *original);
  }
  return result;
}

}  // namespace descramble
