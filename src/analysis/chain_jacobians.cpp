#include "analysis/chain_jacobians.h"

#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"
#include "descramble/data/batches.h"

namespace descramble {

SampleChoice choose_samples(std::int64_t size, std::int64_t count, double held) {
  SampleChoice choice;
  const std::int64_t n = std::min(size, count);
  const auto scored = static_cast<std::int64_t>(std::llround(held * static_cast<double>(n)));
  const std::int64_t out = std::min(scored, n - 1);  // one is used at least
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t index = i * size / n;
    // The i for which i·out/n steps up.
    const bool hold = out > 0 && (i + 1) * out / n != i * out / n;
    (hold ? choice.held_out : choice.used).push_back(index);
  }
  return choice;
}

std::shared_ptr<const LayerJacobian> open_layer(const Subject& subject, const LayerEnds& ends,
                                                const Source& source,
                                                const std::vector<std::int64_t>& indices) {
  const std::int64_t batch = subject.test.batch_size;
  if (subject.check.only_batch && batch > 1) {
    throw Error({"no Jacobians of a model for one batch size", subject.model.name(),
                 "a model that takes any number of samples, or one",
                 fmt::format("one that takes {}", batch)});
  }
  LayerJacobian::Options options{.from_axis = ends.axis,
                                 .to_axis = ends.axis,
                                 .positions = ends.positions,
                                 .seed = subject.seed,
                                 .alone = batch == 1,
                                 .rows = found_rows(ends.rows, subject)};
  if (options.rows.mask) {
    options.each_batch = [&](const LayerJacobian::Options::Look& look) {
      for_each_batch(source, indices, at::kCPU,
                     [&](const Batch& given, std::int64_t) { look(given.inputs); });
    };
  }
  auto layer = std::make_shared<const LayerJacobian>(subject.model, ends.from, ends.to,
                                                     subject.check.first_batch(), options);
  for (const TapSpace* space : {&layer->from_space(), &layer->to_space()})
    require_memory(space->dimension, subject.memory_mb, space->name, space->axis);
  return layer;
}

std::string uncounted_warning(const JacobianStack& stack) {
  if (stack.uncounted() == 0) return "";
  return fmt::format(
      "{} to {}: no sampled position counts in {} of {} samples, which are left out (more "
      "positions, or sequences of like length, leave fewer)",
      stack.from(), stack.to(), stack.uncounted(), stack.samples());
}

JacobianStack::Options stack_options(const Subject& subject, const Source& source,
                                     Progress& progress, std::int64_t sharers) {
  return {.memory_mb = subject.memory_mb,
          .sharers = sharers,
          .batch_size = source.batch_size,
          .on_samples = [&progress](std::int64_t samples) {
            check_interrupt();
            progress.advance(samples);
          }};
}

namespace {

/// The stack for a layer: collapsed if its structure and the learned taps allow it.
JacobianStack stack_of(const std::shared_ptr<const LayerJacobian>& layer, const Source& source,
                       const std::vector<std::int64_t>& indices, bool turns_inputs,
                       bool turns_outputs, const JacobianStack::Options& options,
                       Progress& progress) {
  progress.begin(
      fmt::format("Jacobians of {} to {}", layer->from_space().name, layer->to_space().name),
      std::ssize(indices));
  const auto& masked = layer->masked();
  const bool constant = masked && !masked->on_inputs && !masked->on_outputs;
  std::optional<JacobianStack> stack;
  if (!(turns_inputs && turns_outputs) || constant) {
    stack = JacobianStack::collapsed(
        *layer, *source.data, indices,
        turns_outputs ? JacobianStack::Side::inputs : JacobianStack::Side::outputs, options);
  }
  if (!stack) stack = JacobianStack::of(layer, source.data, indices, options);
  progress.end();
  return *stack;
}

}  // namespace

ChainData gather_chain(const Subject& subject, const ChainOptions& options,
                       const std::vector<bool>& learned, Progress& progress) {
  const Source& source = subject.source(options.data);
  const std::vector<std::string>& taps = options.taps;
  const SampleChoice samples =
      choose_samples(source.data->size(), options.samples, options.held_out);
  std::vector<std::int64_t> all = samples.used;
  all.insert(all.end(), samples.held_out.begin(), samples.held_out.end());
  ChainData chain;
  chain.used.taps = taps;
  if (!samples.held_out.empty()) chain.held_out = JacobianChain{.taps = taps};
  for (std::size_t i = 0; i + 1 < taps.size(); ++i) {
    chain.layers.push_back(
        open_layer(subject, {taps[i], taps[i + 1], options.axis, options.rows, options.positions},
                   source, all));
  }
  // The stacks of all layers are in memory together and share the ceiling. Beside each stack the
  // objective keeps its rows that are not zero.
  const std::int64_t sharers =
      2 * static_cast<std::int64_t>(chain.layers.size()) * (chain.held_out ? 2 : 1);
  const JacobianStack::Options kept = stack_options(subject, source, progress, sharers);
  for (std::size_t i = 0; i < chain.layers.size(); ++i) {
    const auto stack = [&](const std::vector<std::int64_t>& indices) {
      return stack_of(chain.layers[i], source, indices, learned[i], learned[i + 1], kept, progress);
    };
    chain.used.layers.push_back(stack(samples.used));
    if (!chain.held_out) continue;
    chain.held_out->layers.push_back(
        with_where("of the held-out samples", [&] { return stack(samples.held_out); }));
  }
  return chain;
}

}  // namespace descramble
