#pragma once

#include <ATen/core/Tensor.h>

namespace [[gnu::visibility("default")]] descramble {

/// J = ∂y/∂h of each sample, [B, n, numel of one sample of h], as a part of a training loss: J can
/// be differentiated again. `output` y [B, …] was computed from `value` h [B, …] with gradients,
/// and a sample of y depends only on its own sample of h (a batch normalisation in train mode mixes
/// them, and J is then the sum over samples). `rows` [n], int64, are indices into the flattened
/// sample of y; undefined: all of them. Each row costs one vector–Jacobian product. The rows of a
/// random subset, scaled by numel/n, give an unbiased estimate of a sum over all rows:
///
///     const auto j = descramble::differentiable_jacobian(logits, h);
///     const auto loss = cross_entropy(logits, labels) + 0.01 * j.abs().sum({1, 2}).mean();
///
/// @throws Error when y does not depend on h, sizes of batches differ, or a row does not exist
at::Tensor differentiable_jacobian(const at::Tensor& output, const at::Tensor& value,
                                   const at::Tensor& rows = {});

}  // namespace descramble
