#include "experiment/completeness.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>
#include <set>
#include <tuple>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "descramble/basis/kinds.h"
#include "descramble/core/interrupt.h"
#include "descramble/model/snapshot.h"
#include "descramble/taps/tapped_model.h"
#include "experiment/ablation.h"
#include "experiment/grid.h"

namespace descramble {

using nlohmann::json;

std::string reference_name(Reference reference) {
  switch (reference) {
    case Reference::labels:
      return "labels";
    case Reference::targets:
      return "targets";
    case Reference::untouched_class:
      return "untouched class";
    case Reference::untouched_output:
      return "untouched output";
  }
  return "";
}

namespace {

template <class Work>
auto at_tap(const std::string& tap, const Work& work) {
  const auto name_tap = [&](Complaint& complaint) {
    if (complaint.where.find("tap '") == std::string::npos)
      complaint.where += (complaint.where.empty() ? "" : ", ") + ("tap '" + tap + "'");
  };
  return with_complaint(name_tap, work);
}

/// Labels that several bases of one kind do not share.
std::string free_label(const std::string& label, std::set<std::string>& taken) {
  std::string result = label;
  for (int number = 2; !taken.insert(result).second; ++number)
    result = fmt::format("{} ({})", label, number);
  return result;
}

/// Shares that are left after 0, 1, …, k components. Of a whole basis nothing is left at the end.
std::vector<double> kept_shares(const at::Tensor& explained, const std::vector<std::int64_t>& order,
                                std::int64_t d) {
  const at::Tensor shares = explained.contiguous();
  const double* share = shares.data_ptr<double>();
  std::vector<double> kept(order.size() + 1);
  kept.back() =
      static_cast<std::int64_t>(order.size()) == d ? 0.0 : 1.0 - shares.sum().item<double>();
  for (std::size_t i = order.size(); i > 0; --i) kept[i - 1] = kept[i] + share[order[i - 1]];
  return kept;
}

/// A tap while it is measured.
struct TapRun {
  TappedModel tapped;
  std::optional<SplitModel> split{};            ///< absent: the whole network runs for each count
  at::Tensor target{};                          ///< what an ablated component becomes
  std::vector<std::function<Basis()>> bases{};  ///< of the result's bases, made when needed
  std::size_t at_once = 1;                      ///< bases that fit into memory
  std::vector<std::int64_t> counts{};           ///< of the next pass
  TapCompleteness result{};

  /// Bases first … last − 1 are ablated together, with all curves that they have.
  std::size_t last(std::size_t first) const { return std::min(first + at_once, bases.size()); }
};

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
  result.ablation.emplace(run.result.tap.axis, run.target, std::move(paths));
  return result;
}

/// A tap with the cut behind it; without, and why, where the program cannot be cut there.
/// @throws Error for a tap in a branch or loop
TapRun cut_tap(const Model& model, const std::string& tap) {
  TapRun run{.tapped = tap_model(model, {tap})};
  try {
    run.split = run.tapped.split(tap);
  } catch (const Error& error) {
    if (run.tapped.point(tap).in_control_flow) throw;
    run.result.obstacle = error.complaint().found;
  }
  return run;
}

/// Fills in all that the tap's moments tell. `sharers`: taps that have the memory together.
void prepare_tap(TapRun& run, const json& resolved, const Workspace& workspace, TapMoments measured,
                 std::int64_t sharers, std::vector<InputFile>& files) {
  TapCompleteness& result = run.result;
  result.rows = measured.moments.count();
  result.dimension = measured.moments.dimension();
  const std::int64_t d = result.dimension;
  if (result.rows <= d) {
    result.warnings.push_back(fmt::format(
        "{}: {} rows for d = {}, at most {} directions vary and the order of the others "
        "means nothing (more than {} rows are needed)",
        measured.tap, result.rows, d, result.rows - 1, d));
  }
  const at::Tensor covariance = measured.moments.covariance();
  const at::Tensor mean = measured.moments.mean();
  std::set<std::string> labels;
  const std::int64_t most =
      std::max<std::int64_t>(1, (workspace.memory_mb << 20) / sharers / (d * d * 8));
  const json& bases = resolved.at("bases");
  for (std::size_t i = 0; i < bases.size(); ++i) {
    BasisDraws draws = make_basis(bases[i], {.moments = measured.moments,
                                             .tap = measured.tap,
                                             .rotations = workspace.rotations,
                                             .seed = workspace.seed,
                                             .paths = workspace.paths,
                                             .pointer = fmt::format("/bases/{}", i)});
    const std::string label = free_label(draws.label, labels);
    for (std::int64_t draw = 0; draw < draws.count; ++draw) {
      check_interrupt();
      const Basis basis = draws.draw(draw);
      result.bases.push_back({label, static_cast<std::size_t>(draw), basis.size(),
                              explained_variance(basis, covariance)});
      // What fits into memory is not made twice.
      if (std::ssize(run.bases) < most)
        run.bases.push_back([basis] { return basis; });
      else
        run.bases.push_back([draw, draws] { return draws.draw(draw); });
    }
    for (InputFile& file : draws.files) {
      const bool known = std::any_of(files.begin(), files.end(), [&](const InputFile& other) {
        return other.path == file.path;
      });
      if (!known) files.push_back(std::move(file));
    }
  }
  std::set<std::int64_t> ends;
  for (std::size_t basis = 0; basis < result.bases.size(); ++basis) {
    const AblatedBasis& ablated = result.bases[basis];
    ends.insert(ablated.size);
    for (const json& name : resolved.at("orders")) {
      Curve curve{.basis = basis, .draw = ablated.draw, .order = parse_order(name)};
      curve.kept =
          kept_shares(ablated.explained, ordered_components(ablated.explained, curve.order), d);
      result.curves.push_back(std::move(curve));
    }
  }
  std::vector<std::int64_t> counts = first_counts(resolved.at("grid"), d);
  ends.insert(counts.begin(), counts.end());
  measured.moments = {};
  result.tap = std::move(measured);
  run.target = resolved.at("ablate") == "zero" ? at::zeros_like(mean) : mean;
  run.at_once = static_cast<std::size_t>(most);
  run.counts.assign(ends.begin(), ends.end());
}

void require_like_before(const TapRun& run, const at::Tensor& value, std::int64_t batch) {
  const std::string where = fmt::format("tap '{}', batch {}", run.result.tap.tap, batch);
  if (value.dim() == 0 || value.sizes().slice(1) != at::IntArrayRef(run.result.tap.shape)) {
    throw Error({"the tap's shape changes from batch to batch", where,
                 fmt::format("{} for each sample, as in the statistics",
                             fmt::join(run.result.tap.shape, "x")),
                 shape_text(value)});
  }
  if (!at::isfinite(value).all().item<bool>())
    throw Error({"non-finite values", where, "finite numbers", "NaN or infinity"});
}

/// Holds outputs against labels, or against what the untouched model says.
class Judge {
 public:
  /// `chosen`: "class" or "output" of the untouched model; empty: the labels where there are any,
  /// else the output.
  Judge(bool has_labels, std::string chosen)
      : has_labels_(has_labels && chosen.empty()), chosen_(std::move(chosen)) {}

  bool needs_untouched() const { return !has_labels_; }
  /// What the outputs of a batch are held against.
  at::Tensor truth(const Batch& batch, const at::Tensor& untouched) {
    if (has_labels_) {
      reference = batch.labels.is_floating_point() ? Reference::targets : Reference::labels;
      return batch.labels;
    }
    if (untouched.dim() == 0 || untouched.size(0) != batch.inputs.at(0).size(0)) {
      throw Error(
          {"the output has no place for each sample", "", "[samples, ...]", shape_text(untouched)});
    }
    const bool classes = chosen_ == "class";
    const at::Tensor logits = classes ? class_logits(untouched) : untouched;
    if (logits.dim() != 2 && classes) {
      throw Error({"the output gives no class", "/reference", "[samples, classes] or [samples]",
                   shape_text(untouched)});
    }
    reference = classes ? Reference::untouched_class : Reference::untouched_output;
    if (classes) return at::argmax(logits, 1);
    // Whole numbers are compared as numbers: they are no classes to be told apart by logits.
    return untouched.is_floating_point() ? untouched.clone() : untouched.to(at::kDouble);
  }

  Reference reference = Reference::labels;

 private:
  bool has_labels_;
  std::string chosen_;
};

void add_point(Curve& curve, std::int64_t ablated, std::int64_t half, const at::Tensor& output,
               const at::Tensor& truth) {
  Score& score = curve.scores[ablated];
  score.add(output, truth);
  if (ablated != half || !score.has_accuracy) return;
  const at::Tensor right =
      class_ranks(class_logits(output).to(at::kCPU, at::kDouble), truth.to(at::kCPU, at::kLong))
          .eq(0);
  for (std::int64_t i = 0; i < right.size(0); ++i)
    curve.right_at_half.push_back(right[i].item<bool>());
}

/// What all taps have in common in a pass.
struct PassInput {
  const Source& source;
  const Model& model;
  const RowSelection& selection;
  Progress& progress;
};

/// The value at a tap and what the network says, where no cut shares the work.
std::pair<at::Tensor, at::Tensor> whole_pass(const TapRun& run,
                                             const std::vector<at::Tensor>& inputs) {
  std::vector<at::Tensor> values;
  const Watch watch = run.tapped.capture(run.result.tap.tap, values);
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
          : counted_rows(input.selection, value, run.result.tap.axis, batch.inputs);
  const auto visit = [&](std::size_t path, std::int64_t ablated, const at::Tensor& output) {
    check_interrupt();
    add_point(run.result.curves[together.first_curve + path], ablated, run.result.dimension / 2,
              output, truth);
    if (!truth.is_floating_point()) classes = class_logits(output).size(1);
    input.progress.advance(samples);
  };
  if (run.split) {
    together.ablation->run(*run.split, *cut, run.counts, visit, counted);
    // What is carried on is the untouched model's.
    if (carries) run.split->suffix(*cut);
  } else {
    together.ablation->run_whole(
        [&](const Ablation::Replace& replace) {
          start.restore();
          const Watch watch = run.tapped.replace(run.result.tap.tap, replace);
          return run.tapped.forward(batch.inputs);
        },
        run.counts, visit, counted);
    start.restore();
    if (carries) run.tapped.forward(batch.inputs);
  }
}

/// Passes over the data for the counts that each tap waits for: one where all bases fit into
/// memory, else one for as many of them as do.
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
      together[i] = at_tap(runs[i].result.tap.tap, [&] { return ablation_of(runs[i], first); });
      any = true;
    }
    if (!any) break;
    input.model.restart();
    for (std::int64_t begin = 0, number = 0; begin < size;
         begin += input.source.batch_size, ++number) {
      Batch batch =
          input.source.data->slice(begin, std::min(size, begin + input.source.batch_size));
      for (at::Tensor& one : batch.inputs) one = one.to(input.model.device());
      const Snapshot before_batch(input.model);
      for (std::size_t i = 0; i < runs.size(); ++i) {
        if (!together[i].ablation) continue;
        before_batch.restore();
        at_tap(runs[i].result.tap.tap, [&] {
          run_batch(input, batch, number, before_batch, together[i], runs[i], judge, classes);
        });
      }
    }
  }
  input.progress.end();
}

/// How much what is left moves between neighbouring counts: the
/// most of any curve.
std::vector<double> movements(const TapRun& run) {
  std::vector<double> moved(run.counts.size() - 1, 0.0);
  for (const Curve& curve : run.result.curves) {
    for (std::size_t i = 0; i + 1 < run.counts.size(); ++i) {
      const auto here = curve.scores.find(run.counts[i]);
      const auto next = curve.scores.find(run.counts[i + 1]);
      if (here == curve.scores.end() || next == curve.scores.end()) continue;
      moved[i] = std::max(moved[i], std::abs(left_of(here->second) - left_of(next->second)));
    }
  }
  return moved;
}

}  // namespace

Completeness measure_completeness(const json& resolved, const Workspace& workspace,
                                  Progress& progress) {
  const std::vector<std::string> taps = positioned_taps(resolved, workspace.model);
  const RowUse use{row_selection(resolved, workspace), resolved.at("positions") == "one"};
  const at::NoGradGuard no_grad;
  Completeness result;
  std::vector<TapRun> runs;
  // What cannot be cut is said before the first pass.
  for (const std::string& tap : taps) runs.push_back(cut_tap(workspace.model, tap));
  std::vector<TapMoments> measured =
      measure_taps(workspace, workspace.source(resolved.at("statistics_data")), taps,
                   resolved.at("axis"), use, progress);
  for (std::size_t i = 0; i < taps.size(); ++i) {
    at_tap(taps[i], [&] {
      prepare_tap(runs[i], resolved, workspace, std::move(measured[i]), std::ssize(taps),
                  result.files);
    });
  }
  const Source& source = workspace.source(resolved.at("data"));
  const json& chosen = resolved.at("reference");
  Judge judge(source.data->has_labels(),
              chosen.is_null() ? std::string() : chosen.get<std::string>());
  const PassInput input{source, workspace.model, use.selection, progress};
  run_pass("curves", input, runs, judge, result.classes);
  for (TapRun& run : runs)
    run.counts = further_counts(resolved.at("grid"), run.counts, movements(run));
  run_pass("curves, finer", input, runs, judge, result.classes);
  result.reference = judge.reference;
  for (TapRun& run : runs) result.taps.push_back(std::move(run.result));
  return result;
}

}  // namespace descramble
