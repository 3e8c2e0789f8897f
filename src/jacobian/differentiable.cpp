#include "descramble/jacobian/differentiable.h"

#include <ATen/ops/arange.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/model/model.h"
#include "jacobian/by_autograd.h"

namespace descramble {

at::Tensor differentiable_jacobian(const at::Tensor& output, const at::Tensor& value,
                                   const at::Tensor& rows) {
  const char* where = "differentiable_jacobian";
  if (!output.defined() || !value.defined() || output.dim() == 0 || value.dim() == 0 ||
      output.size(0) != value.size(0) || output.size(0) == 0) {
    throw Error({"no Jacobian", where, "an output and a value with the same number of samples",
                 shape_text(output) + " and " + shape_text(value)});
  }
  const auto unrelated = [&] {
    return Error({"no Jacobian", where, "an output that was computed from the value with gradients",
                  "one that does not depend on it"});
  };
  if (!output.requires_grad() || !value.requires_grad()) throw unrelated();
  const std::int64_t size = output.numel() / output.size(0);
  const at::Tensor chosen =
      rows.defined() ? rows.to(at::kCPU, at::kLong) : at::arange(size, at::kLong);
  if (chosen.dim() != 1 || chosen.numel() == 0 || chosen.min().item<std::int64_t>() < 0 ||
      chosen.max().item<std::int64_t>() >= size) {
    throw Error({"no such row of a Jacobian", where, fmt::format("numbers from 0 to {}", size - 1),
                 "others"});
  }
  at::Tensor jacobian = jacobian_by_vjp(value, output, chosen, /*keep_graph=*/true);
  // A constant Jacobian has no graph, and neither have zeros in place of a missing one.
  if (!jacobian.requires_grad() && !reaches(value, output)) throw unrelated();
  return jacobian;
}

}  // namespace descramble
