#include <algorithm>
#include <cmath>

#include <ATen/TensorOperators.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"
#include "descramble/solver/kinds.h"
#include "descramble/solver/options.h"
#include "solver/quasi_newton.h"

namespace descramble {

namespace {

/// Widths ε in units of the root mean square entry.
constexpr double widths[] = {1, 0.3, 0.1, 0.03, 0.01, 0.003};
constexpr std::size_t stages = std::size(widths);
/// The smallest relative gain of a stage of the last refinement; with less gain it stops.
constexpr double stage_gain = 1e-5;

/// Usual number of stages on all samples after the starts have been compared on fewer.
constexpr double last_stages = 5;

/// How much of the work is done, in stages times the cost of an evaluation.
struct Work {
  double total = 0;  ///< if every stage of every start is needed
  double done = 0;

  double share(double part, const Objective& objective) const {
    return std::min(1.0, (done + part * objective.cost()) / total);
  }
};

/// One start on its way through the stages.
struct Run {
  StartOutcome outcome{};
  at::Tensor start{};
  at::Tensor point{};  ///< where the next stage begins
  at::Tensor best{};   ///< by the sharp value, which is in outcome.value
  bool abandoned = false;
};

class Annealing {
 public:
  Annealing(const Annealed& options, const SolverRun& run) : options_(options), run_(run) {}

  /// One stage: L-BFGS on the smoothed objective from the end of the last stage. It remembers the
  /// best point of all evaluations by the sharp value.
  void stage(Run& of, const Objective& sharp, double width, std::int64_t start, Work& work) const {
    const std::unique_ptr<Objective> smooth = sharp.smoothed(width);
    std::vector<double> values;
    const std::int64_t before = of.outcome.iterations;
    std::unique_ptr<Descent> descent;
    descent = std::make_unique<Descent>(
        *smooth, options_.max_iterations, options_.tolerance, [&](std::int64_t iteration, double) {
          values.push_back(descent->last_value());
          if (!run_.on_iteration) return;
          const double part =
              static_cast<double>(iteration) /
              static_cast<double>(std::max<std::int64_t>(1, options_.max_iterations));
          run_.on_iteration({start, before + iteration, values.back(), work.share(part, sharp)});
        });
    GroupSpace space;
    try {
      of.outcome.reason = quasi_newton(space, options_.history, *descent, of.point);
    } catch (const Interrupted&) {
      of.outcome.reason = "interrupted";
    }
    of.outcome.iterations += descent->iterations();
    work.done += sharp.cost();
    // The first value of a stage is the last value of the previous stage.
    const std::size_t skip = of.outcome.trace.empty() || values.empty() ? 0 : 1;
    of.outcome.trace.insert(of.outcome.trace.end(), values.begin() + static_cast<long>(skip),
                            values.end());
    if (!descent->best().defined()) return;
    if (!of.best.defined() || descent->best_value() < of.outcome.value) {
      of.best = descent->best();
      of.outcome.value = descent->best_value();
    }
    // The next stage continues from the end by the smoothed value, not from the best sharp point.
    of.point = descent->end().defined() ? descent->end() : descent->best();
  }

 private:
  const Annealed& options_;
  const SolverRun& run_;
};

bool stopped(const Run& run) {
  return run.outcome.reason == "interrupted" || interrupt_requested();
}

/// All starts, and which of them is the best.
struct Runs {
  std::vector<Run> all{};
  std::size_t best = 0;
  bool interrupted = false;

  Run& winner() { return all[best]; }
};

/// Takes every start through the stages, on the samples of `screened`.
Runs compare_starts(const Annealing& annealing, const Objective& screened,
                    const StartingPoints& points, std::size_t starts, double margin, Work& work) {
  Runs runs;
  std::vector<double> least(stages, INFINITY);  // by any start so far, after each stage
  for (std::size_t i = 0; i < starts && !runs.interrupted; ++i) {
    Run& one = runs.all.emplace_back();
    const Guess start = points.at_index(i);
    one.outcome.from = start.name;
    one.start = one.point = start.rotation;
    for (std::size_t stage = 0; stage < stages; ++stage) {
      annealing.stage(one, screened, widths[stage], static_cast<std::int64_t>(i), work);
      if (!one.best.defined() || stopped(one)) break;
      // Early stages say little about the end of a start.
      if (stage >= 2 && stage + 1 < stages &&
          one.outcome.value - least[stage] > (margin - 1) * std::abs(least[stage])) {
        one.outcome.reason = "abandoned";
        one.abandoned = true;
        break;
      }
      least[stage] = std::min(least[stage], one.outcome.value);
    }
    work.done = static_cast<double>(stages) * screened.cost() * static_cast<double>(i + 1);
    runs.interrupted = stopped(one);
    if (one.best.defined() &&
        (!runs.winner().best.defined() || one.outcome.value < runs.winner().outcome.value)) {
      runs.best = i;
    }
  }
  return runs;
}

/// Scores the end and the beginning of every start on all samples; the best point continues.
void score_on_all(const Objective& objective, Runs& runs, Solution& solution) {
  solution.value = INFINITY;
  const auto score = [&](std::size_t i, const at::Tensor& point) {
    const double value = objective.value(point);
    if (value < solution.value) {
      solution.value = value;
      solution.point = point;
      runs.best = i;
    }
    return value;
  };
  for (std::size_t i = 0; i < runs.all.size() && !runs.interrupted; ++i) {
    Run& one = runs.all[i];
    if (!one.best.defined()) continue;
    one.outcome.value = score(i, one.best);
    if (!one.start.is_same(one.best)) score(i, one.start);
    runs.interrupted = interrupt_requested();
  }
}

/// Continues from the solution on all samples. `screened`: the starts were compared on fewer.
Run refine(const Annealing& annealing, const Objective& objective, bool screened, Runs& runs,
           const Solution& solution, Work& work) {
  Run refined{.outcome = {.from = runs.winner().outcome.from}, .point = solution.point};
  const auto start = static_cast<std::int64_t>(runs.best);
  if (screened && !runs.interrupted) {
    for (std::size_t stage = stages - 3; stage < stages && !stopped(refined); ++stage)
      annealing.stage(refined, objective, widths[stage], start, work);
  }
  // Sharper stages bring a solution at the kinks closer to them; they continue as long as they
  // gain.
  for (double width = widths[stages - 1] / 3;
       width > 1e-6 && !runs.interrupted && !stopped(refined); width /= 5) {
    const double before = refined.best.defined() ? refined.outcome.value : solution.value;
    annealing.stage(refined, objective, width, start, work);
    if (!refined.best.defined() || before - refined.outcome.value < stage_gain * std::abs(before))
      break;
  }
  runs.interrupted = runs.interrupted || stopped(refined);
  return refined;
}

/// Puts the result of the refinement into the start from which it continued, and into the solution.
void add_refined(const Run& refined, bool screened, Run& winner, Solution& solution) {
  if (!refined.outcome.reason.empty()) winner.outcome.reason = refined.outcome.reason;
  winner.outcome.iterations += refined.outcome.iterations;
  if (!screened && !refined.outcome.trace.empty()) {
    // One trace: its second part begins where the first part ends.
    std::vector<double>& trace = winner.outcome.trace;
    trace.insert(trace.end(), refined.outcome.trace.begin() + 1, refined.outcome.trace.end());
  }
  if (refined.best.defined() && refined.outcome.value < solution.value) {
    solution.point = winner.best = refined.best;
    solution.value = winner.outcome.value = refined.outcome.value;
  }
}

Solution solve_annealed(const Objective& objective, const Settings& settings,
                        const SolverRun& run) {
  if (!objective.smoothed(1)) {
    throw Error({"the solver does not fit the objective", "solver 'annealed'",
                 "an objective with kinks that can be smoothed", objective.name()});
  }
  const Annealed options = Annealed::binding().read(settings);
  const StartingPoints points(objective, options.first, run);
  const auto starts = static_cast<std::size_t>(options.starts);
  const std::unique_ptr<Objective> fewer =
      options.screen > 0 && starts > 1 ? objective.on_fewer(options.screen) : nullptr;
  const Objective& screened = fewer ? *fewer : objective;
  const Annealing annealing(options, run);
  const double of_start = static_cast<double>(stages) * screened.cost();
  Work work{.total = of_start * static_cast<double>(starts) + last_stages * objective.cost()};

  Runs runs = compare_starts(annealing, screened, points, starts, options.margin, work);
  if (!runs.winner().best.defined()) {
    if (runs.interrupted) throw Interrupted();
    throw Error({"the objective is not finite anywhere it was tried", objective.name(),
                 "a finite number", "inf"});
  }
  Solution solution;
  solution.point = runs.winner().best;
  solution.value = runs.winner().outcome.value;
  if (fewer && !runs.interrupted) score_on_all(objective, runs, solution);
  const Run refined = refine(annealing, objective, fewer != nullptr, runs, solution, work);
  Run& winner = runs.winner();
  add_refined(refined, fewer != nullptr, winner, solution);
  solution.starts = 0;
  for (Run& one : runs.all) {
    if (!one.best.defined()) continue;
    ++solution.starts;
    one.outcome.point = one.best;
    solution.outcomes.push_back(one.outcome);
  }
  solution.reason = runs.interrupted ? "interrupted" : winner.outcome.reason;
  solution.iterations = winner.outcome.iterations;
  solution.trace = fewer && !runs.interrupted ? refined.outcome.trace : winner.outcome.trace;
  // A point that was evaluated only on some samples is not an answer.
  if (fewer && runs.interrupted) solution.value = objective.value(solution.point);
  finish(solution, objective);
  return solution;
}

Binding<Annealed> annealed_binding() {
  auto binding = quasi_newton_binding<Annealed>("iterations of one stage of one start");
  binding
      .add(&Annealed::screen, {.name = "screen",
                               .doc = "samples that the starts are compared on before the best is "
                                      "refined on all; 0: all from the beginning",
                               .minimum = 0})
      .add(&Annealed::margin, {.name = "margin",
                               .doc = "a start is given up when its value exceeds the best one "
                                      "after the same stage (from the third on) by more than this "
                                      "less 1, relative to the best one's size",
                               .minimum = 1});
  return binding;
}

}  // namespace

const Binding<Annealed>& Annealed::binding() {
  static const Binding<Annealed> binding = annealed_binding();
  return binding;
}

const SolverKind& solver_kind_annealed() {
  static const SolverKind kind{
      .info = {.name = Annealed::kind,
               .summary = "for objectives with kinks: L-BFGS on the rotation group on ever "
                          "sharper stand-ins, from several starts; the answer is the best point "
                          "by the true value that any of them saw",
               .formula = "|z| as sqrt(z^2 + e^2) - e, e/rms = 1, .3, .1, .03, .01, .003",
               .source = "pseudo-Huber function: Charbonnier et al., IEEE Trans. Image Process. "
                         "6 (1997) 298",
               .fields = Annealed::binding().fields()},
      .solve = solve_annealed,
      .needs = &ObjectiveTraits::is_sharp,
      .needed = "an objective with kinks that can be smoothed"};
  return kind;
}

}  // namespace descramble
