#include "jacobian/finite.h"

#include <cstdint>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include "descramble/jacobian/layer_jacobian.h"

namespace descramble {

void require_finite(const at::Tensor& values, const std::string& what, const std::string& between) {
  // A sum is not finite where an entry is not: one pass, a closer look only then.
  if (at::isfinite(values.sum()).item<bool>()) return;
  const at::Tensor finite = at::isfinite(values).flatten(1).all(1);
  if (finite.all().item<bool>()) return;  // the sum alone has left the range
  throw SampleError({what, between, "finite numbers", "NaN or infinity"},
                    finite.logical_not().nonzero()[0][0].item<std::int64_t>());
}

}  // namespace descramble
