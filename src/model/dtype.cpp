#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/error.h"
#include "descramble/model/model.h"

namespace descramble {

std::string dtype_name(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return "float32";
    case at::kDouble:
      return "float64";
    case at::kHalf:
      return "float16";
    case at::kBFloat16:
      return "bfloat16";
    case at::kLong:
      return "int64";
    case at::kInt:
      return "int32";
    case at::kShort:
      return "int16";
    case at::kChar:
      return "int8";
    case at::kByte:
      return "uint8";
    case at::kBool:
      return "bool";
    default:
      return c10::toString(dtype);
  }
}

at::ScalarType parse_dtype(const std::string& name) {
  std::vector<std::string> known;
  for (const auto dtype : {at::kFloat, at::kDouble, at::kHalf, at::kBFloat16, at::kLong, at::kInt,
                           at::kShort, at::kChar, at::kByte, at::kBool}) {
    if (dtype_name(dtype) == name) return dtype;
    known.push_back(dtype_name(dtype));
  }
  throw Error({"unknown dtype", "", "one of " + quoted_list(known), "'" + name + "'"});
}

std::string shape_text(const at::Tensor& tensor) {
  if (!tensor.defined()) return "an undefined tensor";
  return fmt::format(
      "{} {}", tensor.dim() == 0 ? "scalar" : fmt::format("{}", fmt::join(tensor.sizes(), "x")),
      dtype_name(tensor.scalar_type()));
}

}  // namespace descramble
