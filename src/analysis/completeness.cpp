#include "descramble/analysis/completeness.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/format.h>

#include "analysis/completeness_pass.h"
#include "analysis/tap_bases.h"
#include "descramble/core/interrupt.h"

namespace descramble {

namespace {

/// Shares that are left after 0, 1, …, k components. For a whole basis the last share is 0.
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

/// A tap with the cut behind it. If the program cannot be cut there, the tap without a cut and the
/// reason.
/// @throws Error for a tap in a branch or loop
TapRun cut_tap(const Model& model, const std::string& tap) {
  TapRun run{.tapped = tap_model(model, {tap})};
  run.result.space.name = tap;
  try {
    run.split = run.tapped.split(tap);
  } catch (const Error& error) {
    if (run.tapped.point(tap).in_control_flow) throw;
    run.result.obstacle = error.complaint().found;
  }
  return run;
}

/// How the rows of a tap are seen again by a basis that needs them.
using RowsOfTap = std::function<void(const TapSpace& tap, const VisitRows& visit)>;

/// Makes the bases and says what variance each direction explains. `most`: that fit into memory.
void add_bases(TapRun& run, const CompletenessOptions& options, std::uint64_t seed,
               const TapMoments& measured, const RowsOfTap& rows, std::int64_t most,
               std::vector<InputFile>& files) {
  const at::Tensor covariance = measured.moments.covariance();
  for (const BasisDraws& draws : tap_bases(
           options.bases, measured, seed,
           [&](const VisitRows& visit) { rows(measured.space, visit); }, files)) {
    for (std::int64_t draw = 0; draw < draws.count; ++draw) {
      check_interrupt();
      const Basis basis = draws.draw(draw);
      run.result.bases.push_back({draws.label, static_cast<std::size_t>(draw), basis.size(),
                                  explained_variance(basis, covariance)});
      // Bases that fit into memory are not made twice.
      if (std::ssize(run.bases) < most)
        run.bases.push_back([basis] { return basis; });
      else
        run.bases.push_back([draw, draws] { return draws.draw(draw); });
    }
  }
}

/// Fills in all that the tap's values tell. `sharers`: taps that have the memory together.
void prepare_tap(TapRun& run, const CompletenessOptions& options, const Subject& subject,
                 const TapMoments& measured, const RowsOfTap& rows, std::int64_t sharers,
                 std::vector<InputFile>& files) {
  TapCompleteness& result = run.result;
  result.space = measured.space;
  result.rows = measured.moments.count();
  const std::int64_t d = measured.space.dimension;
  if (result.rows <= d) {
    result.warnings.push_back(fmt::format(
        "{}: {} rows for d = {}, at most {} directions vary and the order of the others "
        "means nothing (more than {} rows are needed)",
        measured.space.name, result.rows, d, result.rows - 1, d));
  }
  const std::int64_t most =
      std::max<std::int64_t>(1, (subject.memory_mb << 20) / sharers / (d * d * 8));
  add_bases(run, options, subject.seed, measured, rows, most, files);
  std::set<std::int64_t> ends;
  for (std::size_t basis = 0; basis < result.bases.size(); ++basis) {
    const AblatedBasis& ablated = result.bases[basis];
    ends.insert(ablated.size);
    for (const Order order : options.orders) {
      Curve curve{.basis = basis, .draw = ablated.draw, .order = order};
      curve.kept = kept_shares(ablated.explained, ordered_components(ablated.explained, order), d);
      result.curves.push_back(std::move(curve));
    }
  }
  const std::vector<std::int64_t> counts = first_counts(options.grid, d);
  ends.insert(counts.begin(), counts.end());
  const at::Tensor mean = measured.moments.mean();
  run.target = options.ablate == Ablate::zero ? at::zeros_like(mean) : mean;
  run.at_once = static_cast<std::size_t>(most);
  run.counts.assign(ends.begin(), ends.end());
}

void require_choices(const CompletenessOptions& options) {
  if (options.orders.empty()) throw Error({"no orders", "/orders", "at least one", "none"});
  if (options.bases.empty()) throw Error({"no bases", "/bases", "at least one", "none"});
  const bool known =
      options.reference == Reference::labels || options.reference == Reference::targets;
  if (known) {
    throw Error({"no such reference", "/reference",
                 "nothing (labels or targets where there are any), untouched_class or "
                 "untouched_output",
                 reference_name(*options.reference)});
  }
}

/// The change of what is left between neighbouring counts, the largest of all curves.
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

Completeness measure_completeness(const Subject& subject, const CompletenessOptions& options,
                                  Progress& progress) {
  require_choices(options);
  const std::vector<std::string> taps =
      positioned_taps(subject.model, options.taps, options.position);
  const RowUse use{found_rows(options.rows, subject), options.one_position};
  const at::NoGradGuard no_grad;
  Completeness result;
  std::vector<TapRun> runs;
  // Programs that cannot be cut are reported before the first pass.
  for (const std::string& tap : taps) runs.push_back(cut_tap(subject.model, tap));
  const Source& seen = subject.source(options.statistics_data);
  std::vector<TapMoments> measured = measure_taps(subject, seen, taps, options.axis, use, progress);
  const RowsOfTap rows = [&](const TapSpace& tap, const VisitRows& visit) {
    for_each_rows(subject, seen, tap, use, visit, progress);
  };
  for (std::size_t i = 0; i < taps.size(); ++i) {
    at_tap_of(taps[i], [&] {
      prepare_tap(runs[i], options, subject, measured[i], rows, std::ssize(taps), result.files);
    });
    measured[i].moments = {};
  }
  const Source& source = subject.source(options.data);
  Judge judge(source.data->has_labels(), options.reference);
  const PassInput input{source, subject.model, use.selection, progress};
  run_pass("curves", input, runs, judge, result.classes);
  for (TapRun& run : runs) run.counts = further_counts(options.grid, run.counts, movements(run));
  run_pass("curves, finer", input, runs, judge, result.classes);
  result.reference = judge.reference;
  for (TapRun& run : runs) result.taps.push_back(std::move(run.result));
  return result;
}

}  // namespace descramble
