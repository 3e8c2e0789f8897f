#include "model/fill.h"

#include <utility>

namespace descramble {

Fill tuple_fill(std::vector<Fill> fills) {
  return [fills = std::move(fills)](const std::vector<at::Tensor>& inputs) {
    std::vector<c10::IValue> values;
    for (const Fill& fill : fills) values.push_back(fill(inputs));
    return c10::IValue(c10::ivalue::Tuple::create(std::move(values)));
  };
}

Fill list_fill(std::vector<Fill> fills, const c10::TypePtr& element) {
  return [fills = std::move(fills), element](const std::vector<at::Tensor>& inputs) {
    c10::impl::GenericList values(element);
    for (const Fill& fill : fills) values.push_back(fill(inputs));
    return c10::IValue(values);
  };
}

Fill dictionary_fill(std::vector<std::string> keys, std::vector<Fill> fills,
                     const c10::TypePtr& element) {
  return [keys = std::move(keys), fills = std::move(fills),
          element](const std::vector<at::Tensor>& inputs) {
    c10::impl::GenericDict values(c10::StringType::get(), element);
    for (std::size_t i = 0; i < keys.size(); ++i) values.insert(keys[i], fills[i](inputs));
    return c10::IValue(values);
  };
}

}  // namespace descramble
