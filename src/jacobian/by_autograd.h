#pragma once

#include <ATen/core/Tensor.h>

namespace descramble {

/// Whether a graph leads from one value to the other.
bool reaches(const at::Tensor& at, const at::Tensor& out);

/// ∂out[b, rows]/∂at, [B, n, numel of one sample of `at`], by one vector–Jacobian product for each
/// of `rows` (indices into the flattened output of a sample), the graph retained. `keep_graph`: the
/// result can be differentiated again.
at::Tensor jacobian_by_vjp(const at::Tensor& at, const at::Tensor& out, const at::Tensor& rows,
                           bool keep_graph = false);

/// The same by one Jacobian–vector product for each input: Jᵀv is linear in v, so its derivative
/// with respect to v along u is J u.
at::Tensor jacobian_by_jvp(const at::Tensor& at, const at::Tensor& out, const at::Tensor& rows);

}  // namespace descramble
