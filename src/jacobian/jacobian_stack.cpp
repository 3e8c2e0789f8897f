#include "descramble/jacobian/jacobian_stack.h"

#include <algorithm>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "descramble/core/error.h"

namespace descramble {

namespace {

constexpr std::int64_t chunk_bytes = 8 << 20;  ///< a chunk that stays near the processor

at::Tensor checked_weights(const at::Tensor& weights, std::int64_t samples) {
  if (!weights.defined())
    return at::full({samples}, 1.0 / static_cast<double>(samples), at::kDouble);
  const at::Tensor given = weights.to(at::kCPU, at::kDouble);
  if (given.dim() != 1 || given.size(0) != samples) {
    throw Error({"weights do not fit", "", fmt::format("{}, one for each sample", samples),
                 fmt::format("{}", given.numel())});
  }
  const double sum = given.sum().item<double>();
  if (!at::isfinite(given).all().item<bool>() || !given.ge(0).all().item<bool>() || !(sum > 0)) {
    throw Error({"weights do not fit", "", "finite numbers >= 0, not all of them 0", "others"});
  }
  return given / sum;
}

void require_samples(const std::vector<std::int64_t>& indices, const std::string& where) {
  if (indices.empty()) throw Error({"no samples", where, "at least one", "none"});
}

}  // namespace

JacobianStack::JacobianStack(std::string from, std::string to, const at::Tensor& jacobians)
    : from_(std::move(from)), to_(std::move(to)) {
  if (jacobians.dim() != 3 || jacobians.numel() == 0 || !jacobians.is_floating_point()) {
    throw Error({"no stack of Jacobians", "", "floating-point numbers, [samples, outputs, inputs]",
                 fmt::format("{} dimensions", jacobians.dim())});
  }
  samples_ = jacobians.size(0);
  outputs_ = jacobians.size(1);
  inputs_ = jacobians.size(2);
  dtype_ = jacobians.scalar_type();
  const std::int64_t bytes =
      outputs_ * inputs_ * static_cast<std::int64_t>(jacobians.element_size());
  const std::int64_t chunk = std::max<std::int64_t>(1, chunk_bytes / bytes);
  for (std::int64_t begin = 0; begin < samples_; begin += chunk) {
    const std::int64_t end = std::min(samples_, begin + chunk);
    parts_.push_back(
        {jacobians.slice(0, begin, end).detach(),
         at::full({end - begin, 1, 1}, 1.0 / static_cast<double>(samples_), at::kDouble),
         end - begin});
  }
}

JacobianStack JacobianStack::of(std::shared_ptr<const LayerJacobian> layer,
                                std::shared_ptr<const DataSet> data,
                                const std::vector<std::int64_t>& indices, const Options& options) {
  const std::string where = fmt::format("taps '{}' to '{}'", layer->from(), layer->to());
  require_samples(indices, where);
  JacobianStack stack;
  stack.from_ = layer->from();
  stack.to_ = layer->to();
  stack.inputs_ = layer->inputs();
  stack.outputs_ = layer->outputs();
  stack.samples_ = static_cast<std::int64_t>(indices.size());
  stack.dtype_ = layer->dtype();
  const std::int64_t one = layer->bytes_of_one();
  const std::int64_t ceiling = options.memory_mb << 20;
  constexpr std::int64_t copies = 3;  // a product and its factor beside the result
  if (copies * one > ceiling) {
    throw Error({"a single Jacobian does not fit under the memory ceiling", where,
                 fmt::format("memory_mb >= {}", (copies * one >> 20) + 1),
                 fmt::format("{}", options.memory_mb)});
  }
  const bool fits = one * (stack.samples_ + copies) <= ceiling;
  stack.chunk_ = std::clamp<std::int64_t>(std::min(chunk_bytes, ceiling / (4 * copies)) / one, 1,
                                          stack.samples_);
  const at::Tensor weights = checked_weights(options.weights, stack.samples_);
  const bool from_values = layer->route() == "masked_product";
  std::vector<at::Tensor> values;  // at the first tap: all that the Jacobians depend on
  const auto blocks_of = [layer, data, indices](std::int64_t begin, std::int64_t end) {
    const Batch batch = data->gather({indices.begin() + begin, indices.begin() + end});
    return (*layer)(batch.inputs);
  };
  const auto part_of = [layer, weights](const JacobianBlocks& found, std::int64_t begin,
                                        std::int64_t end) {
    const at::Tensor own = weights.slice(0, begin, end);
    const at::Tensor each =
        found.sample.defined() ? own.index_select(0, found.sample.to(at::kCPU)) : own;
    return Part{found.blocks, (each / static_cast<double>(layer->positions())).view({-1, 1, 1}),
                end - begin};
  };
  for (std::int64_t begin = 0; begin < stack.samples_; begin += stack.chunk_) {
    const std::int64_t end = std::min(stack.samples_, begin + stack.chunk_);
    if (fits) {
      try {
        stack.parts_.push_back(part_of(blocks_of(begin, end), begin, end));
      } catch (const Error& error) {
        Complaint complaint = error.complaint();
        complaint.where +=
            fmt::format(", samples from {} on", indices[static_cast<std::size_t>(begin)]);
        throw Error(complaint);
      }
    } else if (from_values) {
      const Batch batch = data->gather({indices.begin() + begin, indices.begin() + end});
      values.push_back(layer->from_values(batch.inputs));
    }
    if (options.watch) options.watch(end - begin);
  }
  if (!fits && from_values) {
    stack.make_ = [layer, part_of, values, chunk = stack.chunk_](std::int64_t begin,
                                                                 std::int64_t end) {
      return part_of(layer->of_values(values.at(static_cast<std::size_t>(begin / chunk))), begin,
                     end);
    };
  } else if (!fits) {
    stack.make_ = [blocks_of, part_of](std::int64_t begin, std::int64_t end) {
      return part_of(blocks_of(begin, end), begin, end);
    };
  }
  return stack;
}

std::optional<JacobianStack> JacobianStack::collapsed(const LayerJacobian& layer,
                                                      const DataSet& data,
                                                      const std::vector<std::int64_t>& indices,
                                                      Side side, const Options& options) {
  const auto& masked = layer.masked();
  if (!masked) return std::nullopt;
  const bool constant = !masked->on_inputs && !masked->on_outputs;
  if (!constant && masked->on_outputs != (side == Side::outputs)) return std::nullopt;
  require_samples(indices, fmt::format("taps '{}' to '{}'", layer.from(), layer.to()));
  const auto samples = static_cast<std::int64_t>(indices.size());
  JacobianStack stack("", "", masked->weight.unsqueeze(0));
  stack.from_ = layer.from();
  stack.to_ = layer.to();
  stack.samples_ = samples;
  stack.collapsed_ = true;
  stack.parts_[0].samples = samples;
  if (constant) return stack;
  const at::Tensor weights = checked_weights(options.weights, samples);
  at::Tensor rates =
      at::zeros({side == Side::outputs ? layer.outputs() : layer.inputs()}, at::kDouble);
  constexpr std::int64_t batch_size = 512;
  for (std::int64_t begin = 0; begin < samples; begin += batch_size) {
    const std::int64_t end = std::min(samples, begin + batch_size);
    const Batch batch = data.gather({indices.begin() + begin, indices.begin() + end});
    const at::Tensor masks = layer.masks(layer.from_values(batch.inputs)).to(at::kCPU, at::kDouble);
    rates += masks.t().matmul(weights.slice(0, begin, end));
    if (options.watch) options.watch(end - begin);
  }
  stack.parts_[0].weights = side == Side::outputs ? rates.view({1, -1, 1}) : rates.view({1, 1, -1});
  return stack;
}

JacobianStack JacobianStack::first(std::int64_t samples) const {
  if (collapsed_ || samples >= samples_) return *this;
  JacobianStack result = *this;
  result.samples_ = 0;
  double sum = 0;
  if (!make_) {
    result.parts_.clear();
    for (const Part& part : parts_) {
      if (result.samples_ >= samples) break;
      result.parts_.push_back(part);
      result.samples_ += part.samples;
    }
  } else {
    result.samples_ = std::min(samples_, (samples + chunk_ - 1) / chunk_ * chunk_);
  }
  // Blocks that are zero for every place have been left out: their weight is not seen here.
  sum = static_cast<double>(result.samples_) / static_cast<double>(samples_);
  result.share_ = share_ * sum;
  return result;
}

void JacobianStack::for_each(const std::function<void(const Part& part)>& visit) const {
  const at::NoGradGuard no_grad;
  const auto scaled = [this](const Part& part) {
    return share_ == 1 ? part : Part{part.blocks, part.weights / share_, part.samples};
  };
  if (!make_) {
    for (const Part& part : parts_) visit(scaled(part));
    return;
  }
  for (std::int64_t begin = 0; begin < samples_; begin += chunk_)
    visit(scaled(make_(begin, std::min(samples_, begin + chunk_))));
}

}  // namespace descramble
