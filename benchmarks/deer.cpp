// DEER traces a second on all threads, and how the tabulated kernel compares with the formula:
// seconds of a trace by `DeerSimulator` against seconds of one whose kernel is evaluated anew.

#include "descramble/data/deer.h"

#include <algorithm>
#include <cmath>
#include <thread>
#include <vector>

#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>

#include "descramble/core/random.h"
#include "descramble/data/data_set.h"
#include "descramble/data/kinds.h"
#include "timing.h"

namespace {

using descramble::bench::Clock;
using descramble::bench::median;
using descramble::bench::seconds_since;

void deer(benchmark::State& state) {
  at::set_num_threads(static_cast<int>(std::max(1U, std::thread::hardware_concurrency())));
  constexpr std::int64_t batch = 2048;
  const descramble::Settings settings = descramble::resolve_settings(
      descramble::source_family(),
      descramble::settings_of({{"kind", std::string("deer")}, {"count", std::int64_t{1} << 30}})
          .json(),
      "/data");
  const descramble::Source source = descramble::open_source(settings.json(), {.seed = 1});
  const descramble::DeerSimulator simulator{descramble::DeerOptions{}};
  std::vector<double> drawn;
  std::vector<double> direct;
  std::int64_t begin = 0;
  double error = 0;
  for (auto _ : state) {
    Clock::time_point start = Clock::now();
    benchmark::DoNotOptimize(source.data->slice(begin, begin + batch));
    drawn.push_back(seconds_since(start) / batch);
    state.SetIterationTime(drawn.back() * batch);
    begin += batch;
    // One trace from the formula itself.
    descramble::RandomStream random =
        descramble::random_stream(1, "benchmark/deer", static_cast<std::uint64_t>(begin));
    const descramble::DeerSimulator::Trace trace = simulator.draw(random);
    const double spacing = (simulator.distances()[1] - simulator.distances()[0]) / 10;
    start = Clock::now();
    std::vector<double> form(simulator.times().size(), 0);
    for (std::size_t j = 0; j < simulator.distances().size(); ++j) {
      for (std::size_t i = 0; i < form.size(); ++i) {
        form[i] += trace.distribution[j] * spacing *
                   descramble::deer_kernel(simulator.distances()[j], simulator.times()[i]);
      }
    }
    direct.push_back(seconds_since(start));
    for (std::size_t i = 0; i < form.size(); ++i)
      error = std::max(error, std::abs(form[i] - trace.form_factor[i]));
  }
  state.counters["traces_per_s"] = 1 / median(drawn);
  state.counters["direct_over_tabulated"] = median(direct) / median(drawn);
  state.counters["largest_difference"] = error;
  state.counters["threads"] = at::get_num_threads();
}

BENCHMARK(deer)->UseManualTime()->Unit(benchmark::kMillisecond)->MinTime(2);

}  // namespace
