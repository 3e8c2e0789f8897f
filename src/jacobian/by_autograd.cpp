#include "jacobian/by_autograd.h"

#include <vector>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <torch/csrc/autograd/autograd.h>

namespace descramble {

namespace {

at::Tensor gradient(const at::Tensor& of, const at::Tensor& with, const at::Tensor& along,
                    bool keep_graph) {
  const auto found = torch::autograd::grad({of}, {with}, {along}, /*retain_graph=*/true, keep_graph,
                                           /*allow_unused=*/true);
  return found[0].defined() ? found[0] : at::zeros_like(with);
}

}  // namespace

bool reaches(const at::Tensor& at, const at::Tensor& out) {
  if (!out.requires_grad()) return false;
  return torch::autograd::grad({out.sum()}, {at}, {}, /*retain_graph=*/true, false,
                               /*allow_unused=*/true)[0]
      .defined();
}

at::Tensor jacobian_by_vjp(const at::Tensor& at, const at::Tensor& out, const at::Tensor& rows,
                           bool keep_graph) {
  const at::Tensor flat = out.flatten(1);
  const at::Tensor chosen = rows.contiguous();
  const auto row = [&](std::int64_t i) {
    const at::Tensor one = flat.select(1, chosen.data_ptr<std::int64_t>()[i]);
    return gradient(one, at, at::ones_like(one), keep_graph).reshape({at.size(0), -1});
  };
  if (keep_graph) {
    std::vector<at::Tensor> result;
    for (std::int64_t i = 0; i < chosen.size(0); ++i) result.push_back(row(i));
    return at::stack(result, 1);
  }
  // Each row is written to its place, so the whole Jacobian is in memory only once.
  at::Tensor result;
  for (std::int64_t i = 0; i < chosen.size(0); ++i) {
    const at::Tensor one = row(i).detach();
    if (i == 0) result = at::empty({one.size(0), chosen.size(0), one.size(1)}, one.options());
    result.select(1, i).copy_(one);
  }
  return result;
}

at::Tensor jacobian_by_jvp(const at::Tensor& at, const at::Tensor& out, const at::Tensor& rows) {
  const at::Tensor flat = out.flatten(1).index_select(1, rows.to(out.device()));
  at::Tensor vector = at::zeros_like(flat).requires_grad_(true);
  const at::Tensor pulled = gradient(flat, at, vector, true).flatten(1);
  std::vector<at::Tensor> result;
  for (std::int64_t j = 0; j < pulled.size(1); ++j) {
    const at::Tensor one = pulled.select(1, j);
    result.push_back(one.requires_grad() ? gradient(one, vector, at::ones_like(one), false)
                                         : at::zeros_like(flat));
  }
  return at::stack(result, 2);
}

}  // namespace descramble
