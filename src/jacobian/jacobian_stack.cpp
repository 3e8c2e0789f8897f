#include "descramble/jacobian/jacobian_stack.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/data/batches.h"

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

/// The same complaint with the sample's number in the data, for a batch that begins at `begin`.
Error in_data(const SampleError& error, const std::vector<std::int64_t>& indices,
              std::int64_t begin) {
  Complaint complaint = error.complaint();
  complaint.found += fmt::format(" for sample {} of the data",
                                 indices[static_cast<std::size_t>(begin + error.sample())]);
  return Error(complaint);
}

/// How many of the sampled positions count, of each sample.
at::Tensor counted_positions(const LayerJacobian& layer, const DataSet& data,
                             const std::vector<std::int64_t>& indices, std::int64_t batch_size) {
  std::vector<at::Tensor> found;
  for_each_batch(data, indices, batch_size, at::kCPU, [&](const Batch& batch, std::int64_t) {
    found.push_back(layer.counted_positions(batch.inputs));
  });
  return at::cat(found);
}

std::string between_taps(const LayerJacobian& layer) {
  return fmt::format("taps '{}' to '{}'", layer.from_space().name, layer.to_space().name);
}

std::int64_t require_samples(const std::vector<std::int64_t>& indices, const LayerJacobian& layer) {
  if (indices.empty()) throw Error({"no samples", between_taps(layer), "at least one", "none"});
  return static_cast<std::int64_t>(indices.size());
}

/// What fits under the ceiling of memory.
struct Room {
  bool for_all = false;     ///< Jacobians of all samples
  std::int64_t chunk = 1;   ///< samples at a time
  std::int64_t values = 0;  ///< bytes that values at the first tap may have in place of Jacobians
};

Room room_for(const LayerJacobian& layer, std::int64_t samples,
              const JacobianStack::Options& options) {
  const std::int64_t one = layer.bytes_of_one();
  const std::int64_t work = layer.work_bytes_of_one();
  const std::int64_t ceiling = (options.memory_mb << 20) / options.sharers;
  if (one + work > ceiling) {
    throw Error({"a single Jacobian does not fit under the memory ceiling", between_taps(layer),
                 fmt::format("memory_mb >= {}", ((one + work) * options.sharers >> 20) + 1),
                 fmt::format("{}", options.memory_mb)});
  }
  const std::int64_t chunk =
      std::clamp<std::int64_t>(std::min(chunk_bytes / one, ceiling / (4 * (one + work))), 1,
                               std::min(samples, std::max<std::int64_t>(1, options.batch_size)));
  return {one * samples + work * chunk <= ceiling, chunk, ceiling / 4};
}

/// Makes parts of a stack from a layer's Jacobians.
struct PartMaker {
  std::shared_ptr<const LayerJacobian> layer;
  std::shared_ptr<const DataSet> data;
  std::vector<std::int64_t> indices;
  at::Tensor weights;  ///< [N], float64, of one block of each sample
  std::int64_t chunk;
  /// At the first tap, chunk by chunk: all that the Jacobians depend on. Empty: they are made from
  /// the inputs.
  std::vector<at::Tensor> values{};

  Batch inputs(std::int64_t begin, std::int64_t end) const {
    return data->gather({indices.begin() + begin, indices.begin() + end});
  }

  JacobianBlocks blocks(std::int64_t begin, std::int64_t end) const {
    try {
      if (!values.empty()) return layer->of_values(values[static_cast<std::size_t>(begin / chunk)]);
      return (*layer)(inputs(begin, end).inputs);
    } catch (const SampleError& error) {
      throw in_data(error, indices, begin);
    }
  }

  JacobianStack::Part operator()(std::int64_t begin, std::int64_t end) const {
    const JacobianBlocks found = blocks(begin, end);
    const at::Tensor own = weights.slice(0, begin, end);
    const at::Tensor sample = found.sample.defined() ? found.sample.to(at::kCPU) : at::Tensor();
    const at::Tensor each = sample.defined() ? own.index_select(0, sample) : own;
    return {found.blocks, each.reshape({-1, 1, 1}), sample, end - begin};
  }
};

}  // namespace

JacobianStack::JacobianStack(const LayerJacobian& layer)
    : from_(layer.from_space().name),
      to_(layer.to_space().name),
      inputs_(layer.from_space().dimension),
      outputs_(layer.to_space().dimension),
      dtype_(layer.dtype()) {}

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
  Kept kept;
  for (std::int64_t begin = 0; begin < samples_; begin += chunk) {
    const std::int64_t end = std::min(samples_, begin + chunk);
    kept.parts.push_back(
        {jacobians.slice(0, begin, end).detach(),
         at::full({end - begin, 1, 1}, 1.0 / static_cast<double>(samples_), at::kDouble),
         {},
         end - begin});
  }
  content_ = std::move(kept);
  weights_ = at::full({samples_}, 1.0 / static_cast<double>(samples_), at::kDouble);
}

JacobianStack JacobianStack::of(std::shared_ptr<const LayerJacobian> layer,
                                std::shared_ptr<const DataSet> data,
                                const std::vector<std::int64_t>& indices, const Options& options) {
  const std::int64_t samples = require_samples(indices, *layer);
  JacobianStack stack(*layer);
  stack.samples_ = samples;
  const Room room = room_for(*layer, samples, options);
  stack.weights_ = checked_weights(options.weights, samples);
  at::Tensor positions = at::full({samples}, layer->positions(), at::kDouble);
  if (layer->selects_rows()) {
    positions = counted_positions(*layer, *data, indices, options.batch_size);
    const at::Tensor counts = positions.gt(0);
    stack.uncounted_ = samples - counts.sum().item<std::int64_t>();
    if (stack.uncounted_ == samples) {
      throw Error({"no row of the samples counts", between_taps(*layer),
                   "a sampled position that counts", fmt::format("none in {} samples", samples)});
    }
    stack.weights_ = checked_weights(stack.weights_ * counts, samples);
    positions.clamp_min_(1);
  }
  // The mean over a sample's positions that count.
  PartMaker make{layer, data, indices, stack.weights_ / positions, room.chunk};
  // Values at the first tap are all that the Jacobians depend on; they may be kept instead.
  std::vector<at::Tensor> values;
  bool keep_values = !room.for_all && layer->route() == "masked_product" && !layer->selects_rows();
  Kept kept;
  for (std::int64_t begin = 0; begin < samples; begin += room.chunk) {
    const std::int64_t end = std::min(samples, begin + room.chunk);
    if (room.for_all) {
      kept.parts.push_back(make(begin, end));
    } else if (keep_values) {
      values.push_back(layer->from_values(make.inputs(begin, end).inputs));
      const auto all =
          static_cast<std::int64_t>(values[0].nbytes()) * ((samples + room.chunk - 1) / room.chunk);
      if (all > room.values) {
        keep_values = false;
        values.clear();
      }
    }
    if (options.on_samples) options.on_samples(end - begin);
  }
  if (room.for_all) {
    stack.content_ = std::move(kept);
  } else {
    make.values = std::move(values);
    stack.content_ = Streamed{std::move(make), room.chunk};
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
  const std::int64_t samples = require_samples(indices, layer);
  JacobianStack stack(layer);
  stack.samples_ = samples;
  stack.weights_ = checked_weights(options.weights, samples);
  Part part{masked->weight.unsqueeze(0).detach(), at::ones({1, 1, 1}, at::kDouble), {}, samples};
  if (constant) {
    stack.content_ = Collapsed{std::move(part), std::nullopt};
    return stack;
  }
  at::Tensor rates =
      at::zeros({side == Side::outputs ? stack.outputs_ : stack.inputs_}, at::kDouble);
  const auto add = [&](const Batch& batch, std::int64_t begin) {
    const std::int64_t count = batch.inputs.at(0).size(0);
    try {
      const at::Tensor masks = layer.masks(layer.from_values(batch.inputs));
      rates += masks.to(at::kCPU, at::kDouble).t().matmul(stack.weights_.narrow(0, begin, count));
    } catch (const SampleError& error) {
      throw in_data(error, indices, begin);
    }
    if (options.on_samples) options.on_samples(count);
  };
  for_each_batch(data, indices, options.batch_size, at::kCPU, add);
  part.weights = side == Side::outputs ? rates.view({1, -1, 1}) : rates.view({1, 1, -1});
  stack.content_ = Collapsed{std::move(part), side};
  return stack;
}

std::optional<JacobianStack::Side> JacobianStack::collapsed_side() const {
  const auto* collapsed = std::get_if<Collapsed>(&content_);
  return collapsed != nullptr ? collapsed->side : std::nullopt;
}

namespace {

JacobianStack::Part first_of(const JacobianStack::Part& part, std::int64_t samples) {
  if (samples >= part.samples) return part;
  if (!part.sample.defined())
    return {part.blocks.slice(0, 0, samples), part.weights.slice(0, 0, samples), {}, samples};
  const at::Tensor kept = part.sample.lt(samples).nonzero().flatten();
  return {part.blocks.index_select(0, kept.to(part.blocks.device())),
          part.weights.index_select(0, kept), part.sample.index_select(0, kept), samples};
}

}  // namespace

JacobianStack JacobianStack::first(std::int64_t samples) const {
  if (is_collapsed() || samples >= samples_ || samples < 1) return *this;
  const double share = weights_.slice(0, 0, samples).sum().item<double>();
  if (!(share > 0)) return *this;
  JacobianStack result = *this;
  result.samples_ = samples;
  result.share_ = share;
  const auto* all = std::get_if<Kept>(&content_);
  if (all == nullptr) return result;
  Kept some;
  for (std::size_t i = 0; samples > 0; ++i) {
    some.parts.push_back(first_of(all->parts[i], samples));
    samples -= some.parts.back().samples;
  }
  result.content_ = std::move(some);
  return result;
}

void JacobianStack::for_each(const std::function<void(const Part& part)>& visit) const {
  const at::NoGradGuard no_grad;
  const auto scaled = [this](const Part& part) {
    return share_ == 1 ? part : Part{part.blocks, part.weights / share_, part.sample, part.samples};
  };
  // A sample with many blocks is shown some of them at a time: what is made of them is small, too.
  const auto show = [&](const Part& part) {
    const std::int64_t count = part.blocks.size(0);
    const auto bytes = static_cast<std::int64_t>(part.blocks.nbytes());
    if (!part.sample.defined() || bytes <= chunk_bytes) return visit(part);
    const std::int64_t step = std::max<std::int64_t>(1, chunk_bytes * count / bytes);
    for (std::int64_t begin = 0; begin < count; begin += step) {
      const std::int64_t end = std::min(count, begin + step);
      visit({part.blocks.slice(0, begin, end), part.weights.slice(0, begin, end),
             part.sample.slice(0, begin, end), begin == 0 ? part.samples : 0});
    }
  };
  if (const auto* collapsed = std::get_if<Collapsed>(&content_)) return show(collapsed->part);
  if (const auto* kept = std::get_if<Kept>(&content_)) {
    for (const Part& part : kept->parts) show(scaled(part));
    return;
  }
  const Streamed& streamed = std::get<Streamed>(content_);
  for (std::int64_t begin = 0; begin < samples_; begin += streamed.chunk) {
    // Whole chunks, as they were cut at first.
    const std::int64_t end = std::min(begin + streamed.chunk, weights_.size(0));
    show(scaled(first_of(streamed.make(begin, end), samples_ - begin)));
  }
}

}  // namespace descramble
