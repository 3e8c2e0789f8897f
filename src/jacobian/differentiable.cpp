#include "descramble/jacobian/differentiable.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <c10/util/Exception.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/model/model.h"
#include "jacobian/by_autograd.h"

namespace descramble {

namespace {

constexpr const char* function_name = "differentiable_jacobian";

/// int64, on the CPU. @throws Error for a row that does not exist
at::Tensor rows_of(const at::Tensor& rows, std::int64_t size) {
  if (!rows.defined()) return at::arange(size, at::kLong);
  const bool integers = at::isIntegralType(rows.scalar_type(), /*includeBool=*/false);
  if (integers && rows.dim() == 1 && rows.numel() > 0 && rows.min().item<std::int64_t>() >= 0 &&
      rows.max().item<std::int64_t>() < size)
    return rows.to(at::kCPU, at::kLong);
  throw Error({"no such row of a Jacobian", function_name,
               fmt::format("a list of integers from 0 to {}", size - 1), "others"});
}

}  // namespace

at::Tensor differentiable_jacobian(const at::Tensor& output, const at::Tensor& value,
                                   const at::Tensor& rows) {
  if (!output.defined() || !value.defined() || output.dim() == 0 || value.dim() == 0 ||
      output.size(0) != value.size(0) || output.numel() == 0) {
    throw Error({"no Jacobian", function_name,
                 "an output and a value with the same number of samples",
                 shape_text(output) + " and " + shape_text(value)});
  }
  const auto unrelated = [&] {
    return Error({"no Jacobian", function_name,
                  "an output that was computed from the value with gradients",
                  at::GradMode::is_enabled() ? "one that does not depend on it"
                                             : "a thread without gradients (NoGradGuard)"});
  };
  if (!output.requires_grad() || !value.requires_grad() || !at::GradMode::is_enabled())
    throw unrelated();
  const at::Tensor chosen = rows_of(rows, output.numel() / output.size(0));
  try {
    const at::Tensor samples = output.reshape({output.size(0), -1});
    at::Tensor jacobian = jacobian_by_vjp(value, samples, chosen, /*keep_graph=*/true);
    // A constant Jacobian has no graph, and neither have zeros in place of a missing one.
    if (!jacobian.requires_grad() && !reaches(value, samples)) throw unrelated();
    return jacobian;
  } catch (const c10::Error& error) {
    throw Error({"no Jacobian", function_name, "a graph that autograd can follow twice",
                 first_line(error.what_without_backtrace())});
  }
}

}  // namespace descramble
