#include "taps/replacement.h"

#include "descramble/core/error.h"
#include "descramble/model/model.h"

namespace descramble {

const at::Tensor& fitting_replacement(const std::string& tap, const at::Tensor& value,
                                      const at::Tensor& result) {
  if (!value.defined() && !result.defined()) return result;  // a tap without a value
  if (value.defined() && result.defined() && result.sizes() == value.sizes() &&
      result.scalar_type() == value.scalar_type() && result.device() == value.device())
    return result;
  const auto text = [&](const at::Tensor& tensor) {
    const bool elsewhere = result.defined() && result.device() != value.device();
    return shape_text(tensor) + (elsewhere ? " on " + tensor.device().str() : "");
  };
  throw Error({"a replacement does not fit", "tap '" + tap + "'", text(value), text(result)});
}

}  // namespace descramble
