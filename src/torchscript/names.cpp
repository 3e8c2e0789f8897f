#include "torchscript/names.h"

#include <cstddef>

#include <ATen/core/class_type.h>

namespace descramble {

bool is_torch_nn(const c10::TypePtr& type) {
  const auto class_type = type->cast<c10::ClassType>();
  if (!class_type || !class_type->name()) return false;
  const std::string name = class_type->name()->qualifiedName();
  return name.rfind("__torch__.torch.nn.", 0) == 0 || name.rfind("__torch__.torch.ao.nn.", 0) == 0;
}

std::string class_name(const c10::TypePtr& type) {
  const auto named = type->cast<c10::NamedType>();
  return named && named->name() ? named->name()->name() : type->str();
}

std::string original_name(const std::string& method) {
  return method.substr(0, method.find(variant_mark));
}

bool is_forward(const std::string& method) {
  if (!method.starts_with("forward")) return false;
  const std::size_t number = method.compare(7, 2, "__") == 0 ? 9 : 7;
  return method.find_first_not_of("0123456789", number) == std::string::npos;
}

std::string function_name(const c10::QualifiedName& name) {
  const bool functional = name.qualifiedName().rfind("__torch__.torch.nn.functional.", 0) == 0;
  return functional && name.name()[0] == '_' ? name.name().substr(1) : name.name();
}

std::string variant_name(const std::string& method, int number) {
  return original_name(method) + std::string(variant_mark) + std::to_string(number);
}

}  // namespace descramble
