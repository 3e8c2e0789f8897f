#pragma once

#include <string>

#include <ATen/core/Tensor.h>

namespace [[gnu::visibility("default")]] descramble {

/// The loss that compares a model's output with its targets.
enum class Loss {
  cross_entropy,      ///< −log softmax(output)[class], mean over the samples
  mean_squared_error  ///< (output − target)², mean over all elements
};

/// "cross_entropy", "mse".
std::string loss_name(Loss loss);
/// The loss of that name.
/// @throws Error for an unknown name
Loss parse_loss(const std::string& name);

/// Whether a value has one number for each sample: [n] or [n, 1].
bool has_one_number_each(const at::Tensor& value);

/// The logits of a classifier's output, [n, classes]. One number per sample, [n] or [n, 1], is the
/// logit z of class 1 of two classes and becomes (0, z): softmax gives 1/(1 + exp(−z)) for class 1.
/// Integers, booleans and half precision become float64.
at::Tensor class_logits(const at::Tensor& output);

/// The targets of `output` for `loss`, on its device. Cross-entropy takes integer classes [n]. The
/// squared error takes floating-point targets of the output's shape ([n] and [n, 1] fit each
/// other), or integer classes. The classes become one-hot rows, or 0 and 1 if the output has one
/// logit per sample. Targets of the squared error have the output's dtype.
/// @throws Error for labels of another type, number, shape or range
at::Tensor loss_target(Loss loss, const at::Tensor& output, const at::Tensor& labels);

/// The loss as a tensor that can be differentiated: torch.nn.CrossEntropyLoss or torch.nn.MSELoss
/// with their defaults. `target` is the result of loss_target.
at::Tensor loss_value(Loss loss, const at::Tensor& output, const at::Tensor& target);

}  // namespace descramble
