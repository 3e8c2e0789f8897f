// Ablating the directions of a late layer one block after the other: the prefix once, updates of
// low rank and the suffix alone, against the whole network with a value made anew for each count.
// In turns in one run. Counters: median seconds a count of each, and their ratio; and of the fast
// one its three parts, each timed alone: the prefix (spread over all counts), the suffix, and the
// update of the value. Their sum over the fast time says whether they are all of it. SqueezeNet
// comes from the folder DESCRAMBLE_DATA where there is one; the network in AlexNet's shape has
// random weights.

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <c10/core/GradMode.h>
#include <nlohmann/json.hpp>

#include "descramble/analysis/ablation.h"
#include "descramble/core/random.h"
#include "descramble/model/kinds.h"
#include "descramble/taps/tapped_model.h"
#include "timing.h"

namespace {

using descramble::bench::Clock;
using descramble::bench::median;
using descramble::bench::seconds_since;
using nlohmann::json;

constexpr std::int64_t points = 32;

descramble::Model in_the_shape_of_alexnet() {
  json layers = json::array();
  const auto add = [&layers](const char* kind, const std::string& name, json fields) {
    fields.update({{"kind", kind}, {"name", name}});
    layers.push_back(std::move(fields));
  };
  const auto convolve = [&](int number, int out, int kernel, int stride, int padding, bool pool) {
    const std::string n = std::to_string(number);
    add("conv2d", "conv" + n,
        {{"out", out}, {"kernel", kernel}, {"stride", stride}, {"padding", padding}});
    add("relu", "conv_act" + n, json::object());
    if (pool) add("max_pool", "pool" + n, {{"kernel", 3}, {"stride", 2}});
  };
  convolve(1, 64, 11, 4, 2, true);
  convolve(2, 192, 5, 1, 2, true);
  convolve(3, 384, 3, 1, 1, false);
  convolve(4, 256, 3, 1, 1, false);
  convolve(5, 256, 3, 1, 1, true);
  add("flatten", "flatten", json::object());
  add("linear", "fc1", {{"out", 4096}});
  add("relu", "act1", json::object());
  add("linear", "fc2", {{"out", 4096}});
  add("relu", "act2", json::object());
  add("linear", "fc3", {{"out", 1000}});
  const json model = {{"kind", "sequential"}, {"input", {3, 224, 224}}, {"layers", layers}};
  return descramble::open_model(
             descramble::resolve_kind(descramble::model_family(), model, "/model"), {})
      .model;
}

/// A network that only lays out anew what it gets: what an ablation costs without a suffix.
descramble::Model nothing_behind(const at::Tensor& value) {
  const json model = {{"kind", "sequential"},
                      {"input", value.sizes().slice(1).vec()},
                      {"layers", {{{"kind", "flatten"}, {"name", "flatten"}}}}};
  return descramble::open_model(
             descramble::resolve_kind(descramble::model_family(), model, "/model"), {})
      .model;
}

/// I − 2 v vᵀ of a random unit vector: an orthogonal matrix without a zero.
at::Tensor reflection(std::int64_t d, descramble::RandomStream& random) {
  const at::Tensor v = random.normal_tensor({d});
  return at::eye(d, at::kDouble) - 2 * at::outer(v, v) / v.square().sum();
}

void compare(benchmark::State& state, const descramble::Model& model, const std::string& tap) {
  using namespace descramble;
  const c10::NoGradGuard no_grad;
  RandomStream random = random_stream(1, "benchmark/completeness");
  const at::Tensor images = random.normal_tensor({state.range(0), 3, 224, 224}).to(at::kFloat);
  const TappedModel tapped = tap_model(model, {tap});
  const SplitModel split = tapped.split(tap);
  const at::Tensor value = split.prefix({images}).value;
  const Axis axis = default_axis(value);
  const at::Tensor mean = to_rows(value, axis).to(at::kDouble).mean(0);
  const std::int64_t d = mean.size(0);
  AblationPath path{reflection(d, random)};
  path.order.resize(static_cast<std::size_t>(d));
  std::iota(path.order.begin(), path.order.end(), std::int64_t{0});
  std::vector<std::int64_t> counts;
  for (std::int64_t i = 0; i < points; ++i) counts.push_back(d * i / (points - 1));
  const Ablation ablation(axis, mean, {path});
  const SplitModel nothing =
      tap_model(nothing_behind(value), {"flatten.input"}).split("flatten.input");

  const auto anew = [&](std::int64_t count) {
    const Watch watch = tapped.replace(tap, [&](const at::Tensor& h) {
      const at::Tensor rows = to_rows(h, axis).to(at::kDouble) - mean;
      const at::Tensor kept = path.directions.slice(1, count);
      const at::Tensor result = rows.matmul(kept).matmul(kept.t()) + mean;
      return at::empty_like(h).copy_(from_rows(result, h, axis));
    });
    return tapped.forward({images});
  };
  const auto run_all = [&](const SplitModel& behind, const Cut& cut) {
    double last = 0;
    ablation.run(behind, cut, counts, [&](std::size_t, std::int64_t, const at::Tensor& logits) {
      last += logits[0][0].item<double>();
    });
    benchmark::DoNotOptimize(last);
  };
  const Cut cut = split.prefix({images});
  const Cut value_alone = nothing.prefix({value.clone()});
  std::vector<double> fast_seconds;
  std::vector<double> anew_seconds;
  std::vector<double> prefix_seconds;
  std::vector<double> suffix_seconds;
  std::vector<double> update_seconds;
  const auto timed = [](std::vector<double>& seconds, std::int64_t parts, const auto& work) {
    const Clock::time_point start = Clock::now();
    work();
    seconds.push_back(seconds_since(start) / static_cast<double>(parts));
  };
  const auto turn = [&] {
    timed(fast_seconds, points, [&] { run_all(split, split.prefix({images})); });
    timed(anew_seconds, 3, [&] {
      for (const std::int64_t count : {d / 4, d / 2, 3 * d / 4}) anew(count);
    });
    timed(prefix_seconds, points, [&] { split.prefix({images}); });
    timed(suffix_seconds, points, [&] {
      for (std::int64_t i = 0; i < points; ++i) split.suffix(cut);
    });
    timed(update_seconds, points, [&] { run_all(nothing, value_alone); });
  };
  for (int run = 0; run < 2; ++run) turn();  // the executor changes its plan on the first runs
  for (auto* seconds :
       {&fast_seconds, &anew_seconds, &prefix_seconds, &suffix_seconds, &update_seconds})
    seconds->clear();
  for (auto _ : state) {
    turn();
    state.SetIterationTime(fast_seconds.back());
  }
  state.counters["d"] = static_cast<double>(d);
  state.counters["fast_s"] = median(fast_seconds);
  state.counters["anew_s"] = median(anew_seconds);
  state.counters["time_ratio"] = median(anew_seconds) / median(fast_seconds);
  state.counters["prefix_s"] = median(prefix_seconds);
  state.counters["suffix_s"] = median(suffix_seconds);
  state.counters["update_s"] = median(update_seconds);
  state.counters["parts"] =
      (median(prefix_seconds) + median(suffix_seconds) + median(update_seconds)) /
      median(fast_seconds);
  state.counters["threads"] = at::get_num_threads();
}

void squeezenet(benchmark::State& state) {
  const char* folder = std::getenv("DESCRAMBLE_DATA");
  const auto file =
      std::filesystem::path(folder == nullptr ? "" : folder) / "models" / "squeezenet1_1.pt";
  if (folder == nullptr || !std::filesystem::exists(file)) {
    state.SkipWithError("DESCRAMBLE_DATA names no folder with models/squeezenet1_1.pt");
    return;
  }
  compare(state, descramble::load_model(file), "classifier.1");
}

void alexnet_shaped(benchmark::State& state) {
  compare(state, in_the_shape_of_alexnet(), "fc2");
}

BENCHMARK(squeezenet)
    ->ArgName("batch")
    ->Arg(8)
    ->UseManualTime()
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond);
BENCHMARK(alexnet_shaped)
    ->ArgName("batch")
    ->Arg(8)
    ->UseManualTime()
    ->Iterations(5)
    ->Unit(benchmark::kMillisecond);

}  // namespace
