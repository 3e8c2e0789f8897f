// A model with an empty observer at every one of its tap points against its plain forward pass,
// taken in turns in one run. Counters: median seconds a batch of each, and their ratio. The model
// is SqueezeNet from the folder DESCRAMBLE_DATA where there is one, else a convolution network
// built here.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <c10/core/GradMode.h>
#include <nlohmann/json.hpp>

#include "descramble/core/random.h"
#include "descramble/model/kinds.h"
#include "descramble/model/model.h"
#include "descramble/taps/tapped_model.h"
#include "timing.h"

namespace {

using descramble::bench::Clock;
using descramble::bench::median;
using descramble::bench::seconds_since;

descramble::Model built_model() {
  using nlohmann::json;
  json layers = json::array();
  for (int i = 0; i < 6; ++i) {
    const std::string number = std::to_string(i);
    layers.push_back({{"kind", "conv2d"},
                      {"name", "conv" + number},
                      {"out", 64},
                      {"kernel", 3},
                      {"padding", 1}});
    layers.push_back({{"kind", "relu"}, {"name", "act" + number}});
    if (i % 2 == 1)
      layers.push_back({{"kind", "max_pool"}, {"name", "pool" + number}, {"kernel", 2}});
  }
  layers.push_back({{"kind", "flatten"}, {"name", "flatten"}});
  layers.push_back({{"kind", "linear"}, {"name", "fc"}, {"out", 10}});
  const json model = {{"kind", "sequential"}, {"input", {3, 224, 224}}, {"layers", layers}};
  return descramble::open_model(
             descramble::resolve_kind(descramble::model_family(), model, "/model"), {})
      .model;
}

void every_tap(benchmark::State& state) {
  const char* folder = std::getenv("DESCRAMBLE_DATA");
  const auto file =
      std::filesystem::path(folder == nullptr ? "" : folder) / "models" / "squeezenet1_1.pt";
  const bool real = folder != nullptr && std::filesystem::exists(file);
  const descramble::Model model = real ? descramble::load_model(file) : built_model();
  state.SetLabel(real ? "SqueezeNet 1.1" : "six convolutions of 64 channels");

  const c10::NoGradGuard no_grad;
  descramble::RandomStream random = descramble::random_stream(1, "benchmark/taps");
  const at::Tensor images = random.normal_tensor({state.range(0), 3, 224, 224}).to(at::kFloat);
  const descramble::TappedModel tapped = descramble::tap_model(model);
  std::vector<descramble::Watch> watches;
  std::int64_t fired = 0;
  for (const descramble::TapPoint& point : tapped.points()) {
    watches.push_back(tapped.observe(point.name, [&fired](const at::Tensor&) { ++fired; }));
  }
  for (int run = 0; run < 3; ++run) {  // the executor changes its plan on the first runs
    model.forward({images});
    tapped.forward({images});
  }
  fired = 0;

  std::vector<double> with;
  std::vector<double> without;
  for (auto _ : state) {
    const bool taps_first = with.size() % 2 == 0;
    for (const bool first : {true, false}) {
      const Clock::time_point start = Clock::now();
      if (first == taps_first) {
        tapped.forward({images});
        with.push_back(seconds_since(start));
      } else {
        model.forward({images});
        without.push_back(seconds_since(start));
      }
    }
    state.SetIterationTime(with.back());
  }
  state.counters["taps"] = static_cast<double>(fired) / static_cast<double>(with.size());
  state.counters["tapped_s"] = median(with);
  state.counters["plain_s"] = median(without);
  state.counters["time_ratio"] = median(with) / median(without);
  state.counters["threads"] = at::get_num_threads();
}

BENCHMARK(every_tap)
    ->ArgName("batch")
    ->Arg(16)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(25);

}  // namespace
