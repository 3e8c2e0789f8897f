#include "descramble/jacobian/differentiable.h"

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <torch/csrc/autograd/autograd.h>

#include "descramble/core/random.h"
#include "throws.h"

namespace descramble::test {

namespace {

/// y = tanh(h A): J = diag(1 − y²) Aᵀ, and ∂Σ J² / ∂A is known by differences.
struct TanhLayer {
  at::Tensor a = random_stream(1, "a").normal_tensor({4, 3}).requires_grad_(true);
  at::Tensor h = random_stream(1, "h").normal_tensor({5, 4}).requires_grad_(true);
  at::Tensor output() const { return at::tanh(h.matmul(a)); }
};

TEST(DifferentiableJacobian, IsTheJacobianAndHasAGradient) {
  const TanhLayer layer;
  const at::Tensor y = layer.output();
  const at::Tensor j = differentiable_jacobian(y, layer.h);
  const at::Tensor expected = (1 - y.square()).unsqueeze(2) * layer.a.t().unsqueeze(0);
  EXPECT_LE((j - expected).abs().max().item<double>(), 1e-14);
  const auto gradient =
      torch::autograd::grad({j.abs().sum()}, {layer.a}, {}, /*retain_graph=*/true)[0];
  const auto wanted = torch::autograd::grad({expected.abs().sum()}, {layer.a})[0];
  EXPECT_LE((gradient - wanted).abs().max().item<double>(), 1e-12);
}

TEST(DifferentiableJacobian, TakesSomeRows) {
  const TanhLayer layer;
  const at::Tensor y = layer.output();
  const at::Tensor all = differentiable_jacobian(y, layer.h);
  const at::Tensor rows = at::tensor({2, 0}, at::kLong);
  EXPECT_TRUE(at::equal(differentiable_jacobian(y, layer.h, rows), all.index_select(1, rows)));
}

TEST(DifferentiableJacobian, TakesOneNumberASample) {
  const TanhLayer layer;
  const at::Tensor j = differentiable_jacobian(layer.h.square().sum(1), layer.h);
  EXPECT_TRUE(at::equal(j, layer.h.unsqueeze(1) * 2));
  const at::Tensor one = at::ones({5}).requires_grad_(true);
  EXPECT_TRUE(at::equal(differentiable_jacobian(one.square(), one), at::full({5, 1, 1}, 2.0)));
}

TEST(DifferentiableJacobian, RefusesWhatHasNone) {
  const TanhLayer layer;
  const at::Tensor y = layer.output();
  const auto refused = [&](const at::Tensor& output, const at::Tensor& value,
                           const at::Tensor& rows = {}) {
    return [=] { differentiable_jacobian(output, value, rows); };
  };
  EXPECT_THAT(refused(y, at::zeros({5, 4}).requires_grad_(true)),
              ThrowsError("no Jacobian", "does not depend on it"));
  EXPECT_THAT(refused(y.detach(), layer.h), ThrowsError("no Jacobian", "with gradients"));
  EXPECT_THAT(refused(y.slice(0, 0, 2), layer.h), ThrowsError("same number of samples", "2x3"));
  EXPECT_THAT(refused({}, layer.h), ThrowsError("an undefined tensor"));
  for (const at::Tensor& rows : {at::tensor({3}, at::kLong), at::tensor({1.9})})
    EXPECT_THAT(refused(y, layer.h, rows), ThrowsError("no such row", "from 0 to 2"));
  {
    const at::NoGradGuard no_grad;
    EXPECT_THAT(refused(y, layer.h), ThrowsError("no Jacobian", "without gradients"));
  }
  y.sum().backward();
  EXPECT_THAT(refused(y, layer.h), ThrowsError("no Jacobian", "follow twice"));
}

}  // namespace

}  // namespace descramble::test
