// Streaming moments of float32 rows against the bare float64 product of the same rows, taken in
// turns in one run. Counters: median seconds a batch of each, and the rate of the moments as a
// share of the product's.

#include "descramble/stats/moments.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include "descramble/core/random.h"
#include "timing.h"

namespace {

using descramble::bench::Clock;
using descramble::bench::median;
using descramble::bench::seconds_since;

void moments(benchmark::State& state) {
  const std::int64_t batch = state.range(0);
  const std::int64_t d = state.range(1);
  descramble::RandomStream random = descramble::random_stream(1, "benchmark/moments");
  const at::Tensor rows = random.normal_tensor({batch, d}).add_(1).to(at::kFloat);
  const at::Tensor rows64 = rows.to(at::kDouble);
  at::Tensor product = at::zeros({d, d}, at::kDouble);
  descramble::Moments moments;
  moments.add(rows);  // allocates
  product.addmm_(rows64.t(), rows64);

  std::vector<double> streaming;
  std::vector<double> bare;
  for (auto _ : state) {
    Clock::time_point start = Clock::now();
    moments.add(rows);
    streaming.push_back(seconds_since(start));
    state.SetIterationTime(streaming.back());
    start = Clock::now();
    product.addmm_(rows64.t(), rows64);
    bare.push_back(seconds_since(start));
  }
  state.counters["moments_s"] = median(streaming);
  state.counters["addmm_s"] = median(bare);
  state.counters["rate_ratio"] = median(bare) / median(streaming);
  state.counters["threads"] = at::get_num_threads();
}

BENCHMARK(moments)
    ->ArgNames({"rows", "d"})
    ->Args({512, 256})
    ->Args({512, 1024})
    ->Args({512, 4096})
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->MinTime(3);

}  // namespace
