#include "jacobian/sample_check.h"

#include <algorithm>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "descramble/core/error.h"

namespace descramble {

namespace {

double by_dtype(at::ScalarType dtype) {
  if (dtype == at::kDouble) return 1e-9;
  return dtype == at::kFloat ? 1e-3 : 5e-2;
}

/// Where both are finite; by sample.
bool same_values(const at::Tensor& a, const at::Tensor& b, const Model& model) {
  const at::Tensor wide = a.to(at::kDouble).flatten(1);
  const at::Tensor other = b.to(at::kDouble).flatten(1);
  const at::Tensor finite = at::isfinite(wide).logical_and(at::isfinite(other));
  const at::Tensor apart = at::where(finite, (wide - other).abs(), at::zeros_like(wide));
  const at::Tensor size = at::where(finite, wide.abs(), at::zeros_like(wide)).amax(1, true);
  return apart.le(size * allowed_by_rounding(a, model)).all().item<bool>();
}

}  // namespace

double allowed_by_rounding(const at::Tensor& value, const Model& model) {
  return std::max(by_dtype(value.scalar_type()), by_dtype(model.dtype()));
}

void require_samples_apart(const TappedModel& tapped, const std::string& to,
                           const std::vector<at::Tensor>& inputs, const at::Tensor& out) {
  const at::NoGradGuard no_grad;
  const std::int64_t batch = out.size(0);
  // A batch of another size that has samples of the first: half of them, or one of two or one
  // again. Never a batch of one, which some networks take apart.
  const std::int64_t count = batch > 2 ? (batch + 1) / 2 : batch + 1;
  std::vector<at::Tensor> fewer;
  for (const at::Tensor& input : inputs)
    fewer.push_back(batch > 2 ? input.slice(0, 0, count)
                              : at::cat({input, input.slice(0, 0, 1)}).contiguous());
  const std::string where = fmt::format("tap '{}' of {}", to, tapped.model().name());
  const std::string expected = "a value for each sample that depends on nothing but it";
  at::Tensor found;
  try {
    found = tapped.forward_until(to, fewer).clone();
  } catch (const Error& error) {
    throw Error({"a network for one batch size", where,
                 fmt::format("the same for {} and for {} samples", batch, count),
                 error.complaint().expected + " for the second"});
  }
  if (found.dim() == 1) found = found.unsqueeze(1);
  const bool fits = found.dim() == out.dim() && found.size(0) == count &&
                    found.sizes().slice(1) == out.sizes().slice(1);
  if (!fits) {
    throw Error({"no batch in front of the values", where, "[batch, ...]",
                 fmt::format("{} for {} samples, {} for {}", shape_text(out), batch,
                             shape_text(found), count)});
  }
  const std::int64_t common = std::min(batch, count);
  if (same_values(out.slice(0, 0, common), found.slice(0, 0, common), tapped.model())) return;
  at::Tensor again = tapped.forward_until(to, inputs);
  const bool random =
      !same_values(out, again.dim() == 1 ? again.unsqueeze(1) : again, tapped.model());
  throw Error({random ? "values change from one run to the next" : "samples of a batch are mixed",
               where, expected,
               random ? "another one the second time (random numbers, or a state)"
                      : fmt::format("another one among {} samples than among {} (statistics of "
                                    "the batch?)",
                                    count, batch)});
}

}  // namespace descramble
