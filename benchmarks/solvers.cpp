// Smoothness of a layer of 80 units, from the same second moment: the closed form against 400
// iterations of L-BFGS over a static Cayley chart (Amey et al. 2021) with its closed-form gradient,
// and against as many of Riemannian L-BFGS. Counters: median seconds of each, time for one
// evaluation of value and gradient, the ratio of times, and how far above the optimum each ends.

#include <algorithm>
#include <chrono>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include "descramble/core/random.h"
#include "descramble/objective/smoothness.h"
#include "descramble/solver/kinds.h"
#include "descramble/solver/solver.h"
#include "timing.h"

namespace {

using descramble::bench::Clock;
using descramble::bench::median;
using descramble::bench::seconds_since;

/// Second moment of a tanh layer of d units that sees 256 points of smooth random signals.
at::Tensor layer_moment(std::int64_t d) {
  descramble::RandomStream random = descramble::random_stream(1, "benchmark/solvers");
  const at::Tensor modes = at::pow(0.9, at::arange(256, at::kDouble));
  const at::Tensor signals = random.normal_tensor({20000, 256}) * modes;
  const at::Tensor weight = random.normal_tensor({d, 256}) / 4;
  const at::Tensor values = signals.matmul(weight.t()).tanh();
  return values.t().matmul(values) / 20000;
}

void smoothness(benchmark::State& state) {
  const std::int64_t d = state.range(0);
  const at::Tensor moment = layer_moment(d);
  std::vector<double> exact;
  std::vector<double> cayley;
  std::vector<double> riemannian;
  std::vector<double> evaluation;
  double optimum = 0;
  double exact_value = 0;
  double cayley_value = 0;
  double riemannian_value = 0;
  for (auto _ : state) {
    const auto timed = [&](const char* solver, double& value) {
      const Clock::time_point start = Clock::now();
      // A new objective each time: nothing that an earlier one has worked out is kept.
      const descramble::Smoothness objective(descramble::Stencil::fourier_second, moment);
      nlohmann::json config = {{"kind", solver}};
      if (config["kind"] != "exact") config.update({{"max_iterations", 400}, {"tolerance", 0}});
      value = descramble::minimise_with(objective, config).value;
      return seconds_since(start);
    };
    exact.push_back(timed("exact", exact_value));
    cayley.push_back(timed("static_cayley_lbfgs", cayley_value));
    riemannian.push_back(timed("riemannian_lbfgs", riemannian_value));
    const descramble::Smoothness objective(descramble::Stencil::fourier_second, moment);
    optimum = *objective.optimum();
    const at::Tensor identity = at::eye(d, at::kDouble);
    const Clock::time_point start = Clock::now();
    benchmark::DoNotOptimize(objective.evaluate(identity));
    evaluation.push_back(seconds_since(start));
    state.SetIterationTime(exact.back());
  }
  state.counters["exact_s"] = median(exact);
  state.counters["cayley400_s"] = median(cayley);
  state.counters["riemannian400_s"] = median(riemannian);
  state.counters["evaluation_s"] = median(evaluation);
  state.counters["time_ratio"] = median(cayley) / median(exact);
  state.counters["exact_gap"] = exact_value / optimum - 1;
  state.counters["cayley_gap"] = cayley_value / optimum - 1;
  state.counters["riemannian_gap"] = riemannian_value / optimum - 1;
  state.counters["threads"] = at::get_num_threads();
}

BENCHMARK(smoothness)
    ->ArgName("d")
    ->Arg(80)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(11);

}  // namespace
