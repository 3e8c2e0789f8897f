#include "jacobian/masked_product.h"

#include <vector>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

namespace descramble {

namespace {

std::vector<std::int64_t> with_batch(std::int64_t batch, std::int64_t rows, at::IntArrayRef rest) {
  std::vector<std::int64_t> sizes{batch, rows};
  sizes.insert(sizes.end(), rest.begin(), rest.end());
  return sizes;
}

/// Transposed convolution with a result of the size of the convolution's argument.
at::Tensor pull_convolution(const PathStep& step, const at::Tensor& argument,
                            const at::Tensor& cotangents) {
  const std::size_t dims = step.stride.size();
  std::vector<std::int64_t> missing(dims);
  for (std::size_t i = 0; i < dims; ++i) {
    const auto dim = static_cast<std::int64_t>(i) + 2;
    const std::int64_t reached = (cotangents.size(dim + 1) - 1) * step.stride[i] -
                                 2 * step.padding[i] +
                                 step.dilation[i] * (step.weight.size(dim) - 1) + 1;
    missing[i] = argument.size(dim) - reached;
  }
  const at::Tensor flat = cotangents.flatten(0, 1);
  return at::convolution(flat, step.weight, {}, step.stride, step.padding, step.dilation, true,
                         missing, step.groups)
      .reshape(with_batch(cotangents.size(0), cotangents.size(1), argument.sizes().slice(1)));
}

at::Tensor pull_max_pool(const PathStep& step, const at::Tensor& argument,
                         const at::Tensor& cotangents) {
  const at::Tensor where =
      std::get<1>(at::max_pool2d_with_indices(argument, step.kernel, step.stride, step.padding,
                                              step.dilation, step.ceil_mode))
          .flatten(2);
  const std::int64_t batch = argument.size(0);
  const std::int64_t rows = cotangents.size(1);
  const std::vector<std::int64_t> places{batch, rows, argument.size(1), where.size(2)};
  at::Tensor result = at::zeros(
      {batch, rows, argument.size(1), argument.size(2) * argument.size(3)}, cotangents.options());
  result.scatter_add_(3, where.unsqueeze(1).expand(places), cotangents.flatten(3).expand(places));
  return result.reshape(with_batch(batch, rows, argument.sizes().slice(1)));
}

at::Tensor pull_average_pool(const PathStep& step, const at::Tensor& argument,
                             const at::Tensor& cotangents) {
  const std::int64_t batch = cotangents.size(0);
  const std::int64_t rows = cotangents.size(1);
  std::vector<std::int64_t> sizes{batch * rows};
  sizes.insert(sizes.end(), argument.sizes().begin() + 1, argument.sizes().end());
  const at::Tensor like = at::empty({1}, cotangents.options()).expand(sizes);
  return at::avg_pool2d_backward(
             cotangents.flatten(0, 1).contiguous(), like, step.kernel, step.stride, step.padding,
             step.ceil_mode, step.count_include_pad,
             step.divisor > 0 ? c10::optional<std::int64_t>(step.divisor) : c10::nullopt)
      .reshape(with_batch(batch, rows, argument.sizes().slice(1)));
}

at::Tensor pull(const PathStep& step, const at::Tensor& argument, const at::Tensor& cotangents) {
  switch (step.kind) {
    case PathStep::Kind::linear:
      return cotangents.matmul(step.weight);
    case PathStep::Kind::convolution:
      return pull_convolution(step, argument, cotangents);
    case PathStep::Kind::rectifier:
      return cotangents * rectifier_mask(step, argument).unsqueeze(1);
    case PathStep::Kind::max_pool:
      return pull_max_pool(step, argument, cotangents);
    case PathStep::Kind::average_pool:
      return pull_average_pool(step, argument, cotangents);
    case PathStep::Kind::scale: {
      std::vector<std::int64_t> sizes(static_cast<std::size_t>(cotangents.dim()), 1);
      sizes.at(2) = -1;
      return cotangents * step.weight.view(sizes);
    }
    case PathStep::Kind::flatten:
      return cotangents.reshape(
          with_batch(cotangents.size(0), cotangents.size(1), argument.sizes().slice(1)));
  }
  return cotangents;
}

}  // namespace

at::Tensor rectifier_mask(const PathStep& step, const at::Tensor& argument) {
  const at::Tensor positive = argument.gt(0).to(argument.scalar_type());
  return step.slope == 0 ? positive : positive * (1 - step.slope) + step.slope;
}

at::Tensor masked_product(const Path& path, const at::Tensor& from_values, const at::Tensor& rows,
                          const std::function<void(const at::Tensor& value)>& check) {
  std::vector<at::Tensor> arguments{from_values};
  for (const PathStep& step : path.steps) arguments.push_back(step_forward(step, arguments.back()));
  for (const at::Tensor& argument : arguments) {
    if (check) check(argument);
  }
  const std::int64_t batch = from_values.size(0);
  std::size_t step = path.steps.size();
  // At the end the cotangents are unit vectors, which an operation on each entry scales.
  const at::Tensor places = rows.to(from_values.device());
  at::Tensor factors;  // [B, n]
  for (; step > 0 && path.steps[step - 1].kind == PathStep::Kind::rectifier; --step) {
    const at::Tensor mask = rectifier_mask(path.steps[step - 1], arguments[step - 1])
                                .flatten(1)
                                .index_select(1, places);
    factors = factors.defined() ? factors * mask : mask;
  }
  const at::Tensor& end = arguments[step];
  const std::int64_t numel = end.numel() / batch;
  at::Tensor cotangents = at::zeros({places.size(0), numel}, from_values.options());
  cotangents.scatter_(1, places.unsqueeze(1), 1.0);
  cotangents = cotangents.reshape(with_batch(1, places.size(0), end.sizes().slice(1)));
  const auto scale = [&factors](const at::Tensor& given) {
    std::vector<std::int64_t> sizes = factors.sizes().vec();
    sizes.resize(static_cast<std::size_t>(given.dim()), 1);
    const at::Tensor each = factors.view(sizes);
    factors = at::Tensor();
    return each;
  };
  for (; step > 0; --step) {
    cotangents = pull(path.steps[step - 1], arguments[step - 1], cotangents);
    // As soon as there is a value for each sample anyway, since products are the same before.
    if (factors.defined() && cotangents.size(0) == batch && batch > 1)
      cotangents.mul_(scale(cotangents));
  }
  if (factors.defined()) cotangents = cotangents * scale(cotangents);
  return cotangents;
}

}  // namespace descramble
