#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include <ATen/core/ivalue.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/model/model.h"

namespace descramble {

at::Tensor select_output(const c10::IValue& output, const OutputKey& key) {
  const auto refuse = [&](const std::string& expected) {
    return Error({"cannot take the logits from the model's output", "/model/output", expected,
                  output.type()->annotation_str()});
  };
  if (std::holds_alternative<std::monostate>(key)) {
    if (!output.isTensor()) {
      throw refuse("a tensor, or \"output\": the index or key of the logits");
    }
    return output.toTensor();
  }
  if (const auto* index = std::get_if<std::int64_t>(&key)) {
    std::vector<c10::IValue> elements;
    if (output.isTuple()) {
      for (const c10::IValue& element : output.toTupleRef().elements()) elements.push_back(element);
    } else if (output.isTensorList()) {
      for (const at::Tensor& element : output.toTensorVector()) elements.emplace_back(element);
    } else if (output.isList()) {
      for (const c10::IValue& element : output.toListRef()) elements.push_back(element);
    }
    const auto at = static_cast<std::size_t>(*index);
    if (at >= elements.size() || !elements[at].isTensor()) {
      throw refuse(fmt::format("a tuple or list with a tensor at {}", *index));
    }
    return elements[at].toTensor();
  }
  const std::string& name = std::get<std::string>(key);
  if (output.isGenericDict()) {
    for (const auto& entry : output.toGenericDict()) {
      if (entry.key().isString() && entry.key().toStringRef() == name && entry.value().isTensor()) {
        return entry.value().toTensor();
      }
    }
  }
  std::vector<std::string> keys;
  if (output.isGenericDict()) {
    for (const auto& entry : output.toGenericDict()) {
      if (entry.key().isString() && entry.value().isTensor())
        keys.push_back(entry.key().toStringRef());
    }
  }
  if (keys.empty()) throw refuse("a dict with a tensor at '" + name + "'");
  throw Error({"cannot take the logits from the model's output", "/model/output",
               "one of the keys " + quoted_list(keys), "'" + name + "'"});
}

}  // namespace descramble
