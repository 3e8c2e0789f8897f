// A model with an empty observer at every one of its tap points against its plain forward pass,
// taken in turns in one run. Counters: median seconds a batch of each, and their ratio. The model
// is SqueezeNet from the folder DESCRAMBLE_DATA where there is one, else a convolution network
// built here. Then a training step in C++ whose forward names its points while nobody listens.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <c10/core/GradMode.h>
#include <nlohmann/json.hpp>

#include "descramble/core/random.h"
#include "descramble/model/kinds.h"
#include "descramble/model/model.h"
#include "descramble/taps/tap.h"
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

/// A training step of a 784-256-256-10 network in C++, batches of 128, whose forward names a point
/// behind each layer, or not.
class Step {
 public:
  Step() {
    descramble::RandomStream random = descramble::random_stream(1, "benchmark/taps");
    for (const auto& [out, in] : {std::pair{256, 784}, {256, 256}, {10, 256}}) {
      const at::Tensor weight = random.normal_tensor({out, in}).to(at::kFloat) * 0.03;
      weights_.push_back(weight.detach().set_requires_grad(true));
    }
    inputs_ = random.normal_tensor({128, 784}).to(at::kFloat);
  }

  double seconds(bool named) {
    constexpr int steps = 50;
    const Clock::time_point start = Clock::now();
    for (int step = 0; step < steps; ++step) {
      at::Tensor h = inputs_;
      for (std::size_t layer = 0; layer < weights_.size(); ++layer) {
        h = at::relu(at::linear(h, weights_[layer]));
        if (named) h = descramble::tap(names_[layer], h);
      }
      h.square().mean().backward();
      const c10::NoGradGuard no_grad;
      for (const at::Tensor& weight : weights_) {
        weight.sub_(weight.grad(), 1e-3);
        weight.mutable_grad().zero_();
      }
    }
    return seconds_since(start) / steps;
  }

 private:
  std::vector<at::Tensor> weights_{};
  std::vector<std::string> names_{"fc1", "fc2", "fc3"};
  at::Tensor inputs_{};
};

void named_points_without_a_listener(benchmark::State& state) {
  Step step;
  step.seconds(true);
  std::vector<double> named;
  std::vector<double> plain;
  std::vector<double> ratios;  // of neighbours, which other programs slow down alike
  for (auto _ : state) {
    const bool named_first = named.size() % 2 == 0;
    if (named_first) named.push_back(step.seconds(true));
    plain.push_back(step.seconds(false));
    if (!named_first) named.push_back(step.seconds(true));
    ratios.push_back(named.back() / plain.back());
    state.SetIterationTime(named.back());
  }
  state.counters["named_s"] = median(named);
  state.counters["plain_s"] = median(plain);
  state.counters["time_ratio"] = median(ratios);
  state.counters["threads"] = at::get_num_threads();
}

BENCHMARK(named_points_without_a_listener)
    ->UseManualTime()
    ->Unit(benchmark::kMillisecond)
    ->Iterations(41);

}  // namespace
