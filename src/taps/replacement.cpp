#include "taps/replacement.h"

#include "descramble/core/error.h"
#include "descramble/model/model.h"

namespace descramble {

const at::Tensor& fitting_replacement(const std::string& tap, const at::Tensor& value,
                                      const at::Tensor& result) {
  if (result.defined() && result.sizes() == value.sizes() &&
      result.scalar_type() == value.scalar_type())
    return result;
  throw Error(
      {"a replacement does not fit", "tap '" + tap + "'", shape_text(value), shape_text(result)});
}

}  // namespace descramble
