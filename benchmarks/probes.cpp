// Training a 784-256-256-10 network with a probe (spectrum and smoothness of fc1) every 100 steps
// against training it without, taken in turns in one run. Counters: median seconds a training of
// each, and the median ratio of neighbours.

#include "descramble/training/probes.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include "descramble/core/random.h"
#include "descramble/model/kinds.h"
#include "descramble/training/train.h"
#include "timing.h"

namespace {

using descramble::bench::Clock;
using descramble::bench::median;
using descramble::bench::seconds_since;
using nlohmann::json;

/// Random pictures and classes, held in memory: reading costs next to nothing, so that it does not
/// hide the probes.
class Noise final : public descramble::DataSet {
 public:
  explicit Noise(std::int64_t size) {
    descramble::RandomStream random = descramble::random_stream(1, "benchmark/probes");
    pictures_ = random.normal_tensor({size, 1, 28, 28}).to(at::kFloat);
    classes_ = random.uniform_tensor({size}, 0, 10).to(at::kLong);
  }
  std::int64_t size() const override { return pictures_.size(0); }
  bool has_labels() const override { return true; }
  descramble::Batch gather(const std::vector<std::int64_t>& indices) const override {
    const at::Tensor which = at::tensor(indices, at::kLong);
    return {{pictures_.index_select(0, which)}, classes_.index_select(0, which)};
  }

 private:
  at::Tensor pictures_{};
  at::Tensor classes_{};
};

descramble::Model mlp() {
  const json model = {{"kind", "sequential"},
                      {"input", {1, 28, 28}},
                      {"layers",
                       {{{"kind", "flatten"}, {"name", "flatten"}},
                        {{"kind", "linear"}, {"name", "fc1"}, {"out", 256}},
                        {{"kind", "relu"}, {"name", "act1"}},
                        {{"kind", "linear"}, {"name", "fc2"}, {"out", 256}},
                        {{"kind", "relu"}, {"name", "act2"}},
                        {{"kind", "linear"}, {"name", "fc3"}, {"out", 10}}}}};
  return descramble::open_model(
             descramble::resolve_kind(descramble::model_family(), model, "/model"), {.seed = 1})
      .model;
}

void probe_every_100_steps(benchmark::State& state) {
  const descramble::Source train{std::make_shared<Noise>(128 * 400), 256};
  const descramble::Source test{std::make_shared<Noise>(256), 256};
  const descramble::TrainOptions options{.epochs = 3};

  std::vector<double> with;
  std::vector<double> without;
  std::size_t probed = 0;
  for (auto _ : state) {
    const bool probes_first = with.size() % 2 == 0;
    for (const bool first : {true, false}) {
      const bool probing = first == probes_first;
      const descramble::Model model = mlp();
      descramble::Progress quiet;
      const Clock::time_point start = Clock::now();
      if (probing) {
        descramble::Probes probes(model);
        probes.add({.taps = {"fc1"}}, train);
        descramble::train_model(
            model, options, train, test, quiet,
            {.step = [&](std::int64_t step, std::int64_t epoch) { probes.at_step(step, epoch); }});
        probes.at_end();
        with.push_back(seconds_since(start));
        probed = probes.records().size() / 2;
      } else {
        descramble::train_model(model, options, train, test, quiet);
        without.push_back(seconds_since(start));
      }
    }
    state.SetIterationTime(with.back());
  }
  state.counters["probes"] = static_cast<double>(probed);
  state.counters["probed_s"] = median(with);
  state.counters["plain_s"] = median(without);
  std::vector<double> ratios;  // of neighbours, which other programs slow down alike
  for (std::size_t i = 0; i < with.size(); ++i) ratios.push_back(with[i] / without[i]);
  state.counters["time_ratio"] = median(ratios);
  state.counters["threads"] = at::get_num_threads();
}

BENCHMARK(probe_every_100_steps)->UseManualTime()->Unit(benchmark::kMillisecond)->Iterations(9);

}  // namespace
