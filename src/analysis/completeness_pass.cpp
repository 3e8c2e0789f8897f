#include "analysis/completeness_pass.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/core/ivalue.h>
#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/analysis/ablation.h"
#include "descramble/core/interrupt.h"
#include "descramble/data/batches.h"
#include "descramble/model/snapshot.h"

namespace descramble {

namespace {

/// Curves of a tap that run together, and their ablation.
struct Together {
  std::size_t first_curve = 0;
  std::optional<Ablation> ablation{};
};

Together ablation_of(const TapRun& run, std::size_t first) {
  Together result;
  std::vector<AblationPath> paths;
  for (std::size_t basis = first; basis < run.last(first); ++basis) {
    const at::Tensor directions = run.bases[basis]().directions();
    for (std::size_t i = 0; i < run.result.curves.size(); ++i) {
      const Curve& curve = run.result.curves[i];
      if (curve.basis != basis) continue;
      if (paths.empty()) result.first_curve = i;
      paths.push_back(
          {directions, ordered_components(run.result.bases[basis].explained, curve.order)});
    }
  }
  result.ablation.emplace(run.result.space.axis, run.target, std::move(paths));
  return result;
}

void require_like_before(const TapRun& run, const at::Tensor& value, std::int64_t batch) {
  const std::string where = fmt::format("tap '{}', batch {}", run.tap(), batch);
  if (value.dim() == 0 || value.sizes().slice(1) != at::IntArrayRef(run.result.space.shape)) {
    throw Error({"the tap's shape changes from batch to batch", where,
                 fmt::format("{} for each sample, as in the statistics",
                             fmt::join(run.result.space.shape, "x")),
                 shape_text(value)});
  }
  if (!at::isfinite(value).all().item<bool>())
    throw Error({"non-finite values", where, "finite numbers", "NaN or infinity"});
}

void add_point(Curve& curve, std::int64_t ablated, std::int64_t half, const at::Tensor& output,
               const at::Tensor& truth) {
  Score& score = curve.scores[ablated];
  score.add(output, truth);
  if (ablated != half || !score.has_accuracy) return;
  const at::Tensor right =
      class_ranks(class_logits(output).to(at::kCPU, at::kDouble), truth.to(at::kCPU, at::kLong))
          .eq(0);
  const at::Tensor flags = right.contiguous();
  const bool* first = flags.data_ptr<bool>();
  curve.right_at_half.insert(curve.right_at_half.end(), first, first + flags.numel());
}

/// The value at a tap and the output of the network, for a program that is not cut.
std::pair<at::Tensor, at::Tensor> whole_pass(const TapRun& run,
                                             const std::vector<at::Tensor>& inputs) {
  std::vector<at::Tensor> values;
  const Watch watch = run.tapped.capture(run.tap(), values);
  const at::Tensor output = run.tapped.forward(inputs).detach();
  if (values.size() != 1) {
    throw Error({"the tap fires several times in one pass", "", "once",
                 fmt::format("{} times", values.size())});
  }
  return {values[0].detach(), output};
}

/// The curves of one tap that run together, on one batch. `start`: the state that it begins with.
void run_batch(const PassInput& input, const Batch& batch, std::int64_t number,
               const Snapshot& start, Together& together, TapRun& run, Judge& judge,
               std::int64_t& classes) {
  const bool carries = input.model.state_policy() == StatePolicy::carry;
  std::optional<Cut> cut;
  at::Tensor value;
  at::Tensor untouched;
  if (run.split) {
    cut = run.split->prefix(batch.inputs);
    value = cut->value;
    if (judge.needs_untouched()) untouched = run.split->suffix(*cut);
  } else {
    std::tie(value, untouched) = whole_pass(run, batch.inputs);
  }
  require_like_before(run, value, number);
  const at::Tensor truth = judge.truth(batch, untouched);
  const std::int64_t samples = batch.inputs.at(0).size(0);
  const at::Tensor counted =
      input.selection.all()
          ? at::Tensor()
          : counted_rows(input.selection, value, run.result.space.axis, batch.inputs);
  const auto visit = [&](std::size_t path, std::int64_t ablated, const at::Tensor& output) {
    check_interrupt();
    add_point(run.result.curves[together.first_curve + path], ablated,
              run.result.space.dimension / 2, output, truth);
    if (!truth.is_floating_point()) classes = class_logits(output).size(1);
    input.progress.advance(samples);
  };
  if (run.split) {
    together.ablation->run(*run.split, *cut, run.counts, visit, counted);
    // The next batch starts from the state of the untouched model.
    if (carries) run.split->suffix(*cut);
  } else {
    together.ablation->run_whole(
        [&](const Ablation::Replace& replace) {
          start.restore();
          const Watch watch = run.tapped.replace(run.tap(), replace);
          return run.tapped.forward(batch.inputs);
        },
        run.counts, visit, counted);
    start.restore();
    if (carries) run.tapped.forward(batch.inputs);
  }
}

}  // namespace

void run_pass(const std::string& label, const PassInput& input, std::vector<TapRun>& runs,
              Judge& judge, std::int64_t& classes) {
  const std::int64_t size = input.source.data->size();
  std::int64_t points = 0;
  for (const TapRun& run : runs)
    points += static_cast<std::int64_t>(run.counts.size() * run.result.curves.size());
  if (points == 0) return;
  input.progress.begin(label, size * points);
  for (std::size_t round = 0;; ++round) {
    std::vector<Together> together(runs.size());
    bool any = false;
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const std::size_t first = round * runs[i].at_once;
      if (runs[i].counts.empty() || first >= runs[i].bases.size()) continue;
      together[i] = at_tap_of(runs[i].tap(), [&] { return ablation_of(runs[i], first); });
      any = true;
    }
    if (!any) break;
    input.model.restart();
    std::int64_t number = 0;
    for_each_batch(input.source, input.model.device(), [&](const Batch& batch, std::int64_t) {
      const Snapshot before_batch(input.model);
      for (std::size_t i = 0; i < runs.size(); ++i) {
        if (!together[i].ablation) continue;
        before_batch.restore();
        at_tap_of(runs[i].tap(), [&] {
          run_batch(input, batch, number, before_batch, together[i], runs[i], judge, classes);
        });
      }
      ++number;
    });
  }
  input.progress.end();
}

}  // namespace descramble
