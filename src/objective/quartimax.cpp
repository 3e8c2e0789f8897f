#include "descramble/objective/quartimax.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>

namespace descramble {

double Quartimax::value(const at::Tensor& rotation) const {
  return sums(rotation, false).value;
}

at::Tensor Quartimax::gradient(const at::Tensor& rotation) const {
  return sums(rotation, true).gradient;
}

Evaluation Quartimax::evaluate(const at::Tensor& rotation) const {
  return sums(rotation, true);
}

Evaluation Quartimax::sums(const at::Tensor& rotation, bool with_gradient) const {
  require_rotation_size(rotation, *this);
  const at::NoGradGuard no_grad;
  const auto count = static_cast<double>(rows_.rows());
  Evaluation result;
  rows_.for_each([&](const TapValues::Part& part) {
    const at::Tensor rotated =
        at::linear(part.rows, rotation.detach().to(part.rows.device(), at::kDouble));
    const at::Tensor squares = rotated.square();
    result.value -= squares.square().sum().item<double>() / count;
    if (!with_gradient) return;
    const at::Tensor gradient =
        rotated.mul(squares).t().matmul(part.rows).mul(-4 / count).to(at::kCPU);
    result.gradient = result.gradient.defined() ? result.gradient + gradient : gradient;
  });
  return result;
}

}  // namespace descramble
