// One gradient of the cached Jacobian objective (stack, and collapsed to firing rates) against the
// same by double backward through the network; and batched Jacobians of a layer pair by masked
// products against a loop of vector-Jacobian products and against the bare GEMM of the same size.
// An evaluation of the stack stands beside its two bare GEMMs, too.
// In turns in one run. Counters: median seconds of each, and their ratios.

#include <memory>
#include <numeric>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <benchmark/benchmark.h>
#include <c10/core/GradMode.h>
#include <nlohmann/json.hpp>

#include "descramble/core/random.h"
#include "descramble/data/data_set.h"
#include "descramble/jacobian/layer_jacobian.h"
#include "descramble/model/kinds.h"
#include "descramble/objective/jacobian_l1.h"
#include "descramble/objective/jacobian_loss.h"
#include "timing.h"

namespace {

using descramble::bench::Clock;
using descramble::bench::median;
using descramble::bench::seconds_since;
using nlohmann::json;

constexpr std::int64_t width = 256;

descramble::Model network() {
  json layers = json::array();
  for (const char* name : {"1", "2", "3"}) {
    layers.push_back({{"kind", "linear"}, {"name", std::string("fc") + name}, {"out", width}});
    layers.push_back({{"kind", "relu"}, {"name", std::string("act") + name}});
  }
  const json model = {{"kind", "sequential"}, {"input", {width}}, {"layers", layers}};
  return descramble::open_model(
             descramble::resolve_kind(descramble::model_family(), model, "/model"), {})
      .model;
}

class Rows final : public descramble::DataSet {
 public:
  explicit Rows(at::Tensor rows) : rows_(std::move(rows)) {}
  std::int64_t size() const override { return rows_.size(0); }
  bool has_labels() const override { return false; }
  descramble::Batch gather(const std::vector<std::int64_t>& indices) const override {
    return {{rows_.index_select(0, at::tensor(indices, at::kLong))}, {}};
  }

 private:
  at::Tensor rows_;
};

template <class Work>
void time_into(std::vector<double>& seconds, const Work& work) {
  const Clock::time_point start = Clock::now();
  work();
  seconds.push_back(seconds_since(start));
}

void gradient(benchmark::State& state) {
  using namespace descramble;
  const Model model = network();
  RandomStream random = random_stream(1, "benchmark/jacobians");
  const at::Tensor inputs = random.normal_tensor({256, width}).to(at::kFloat);
  const LayerJacobian layer(model, "act1", "act2", {inputs.slice(0, 0, 8)});
  const at::Tensor blocks = layer({inputs}).blocks;
  const JacobianL1 cached({.taps = {"act1", "act2"}, .layers = {{"act1", "act2", blocks}}},
                          {true, false});
  std::vector<std::int64_t> all(256);
  std::iota(all.begin(), all.end(), 0);
  const JacobianL1 collapsed({.taps = {"act1", "act2"},
                              .layers = {*JacobianStack::collapsed(
                                  layer, Rows(inputs), all, JacobianStack::Side::outputs, {})}},
                             {true, false});
  const JacobianLoss twice(model, "act1", "act2", {inputs}, [](const at::Tensor& j) {
    return j.abs().sum({1, 2}).mean();
  });
  RandomStream turn = random_stream(1, "benchmark/turn");
  const at::Tensor point =
      std::get<0>(at::linalg_qr(turn.normal_tensor({width, width}), "reduced"));
  // The products that every evaluation consists of, of the rows that are not zero: Z = J Pᵀ, Φᵀ J.
  const at::Tensor rows = blocks.reshape({-1, width});
  const at::Tensor left = rows.index_select(0, rows.ne(0).any(1).nonzero().flatten());
  const at::Tensor turned = point.to(at::kFloat).t();
  const auto products = [&] {
    for (const at::Tensor& part : left.split(4096))
      benchmark::DoNotOptimize(part.matmul(turned).t().matmul(part).data_ptr());
  };
  std::vector<double> stack_seconds, collapsed_seconds, twice_seconds, gemm_seconds;
  for (int run = 0; run < 2; ++run) {
    benchmark::DoNotOptimize(cached.evaluate(point).value);
    benchmark::DoNotOptimize(collapsed.evaluate(point).value);
    products();
  }
  benchmark::DoNotOptimize(twice.evaluate(point).value);
  for (auto _ : state) {
    time_into(stack_seconds, [&] { benchmark::DoNotOptimize(cached.evaluate(point).value); });
    state.SetIterationTime(stack_seconds.back());
    time_into(collapsed_seconds,
              [&] { benchmark::DoNotOptimize(collapsed.evaluate(point).value); });
    time_into(gemm_seconds, products);
    time_into(twice_seconds, [&] { benchmark::DoNotOptimize(twice.evaluate(point).value); });
  }
  state.counters["stack_s"] = median(stack_seconds);
  state.counters["collapsed_s"] = median(collapsed_seconds);
  state.counters["double_backward_s"] = median(twice_seconds);
  state.counters["gemm_s"] = median(gemm_seconds);
  state.counters["share_of_gemm_rate"] = median(gemm_seconds) / median(stack_seconds);
  state.counters["ratio_stack"] = median(twice_seconds) / median(stack_seconds);
  state.counters["ratio_collapsed"] = median(twice_seconds) / median(collapsed_seconds);
  state.counters["threads"] = at::get_num_threads();
}

void jacobian(benchmark::State& state) {
  using namespace descramble;
  const Model model = network();
  RandomStream random = random_stream(1, "benchmark/jacobians");
  const at::Tensor inputs = random.normal_tensor({64, width}).to(at::kFloat);
  const LayerJacobian product(model, "input", "act2", {inputs.slice(0, 0, 8)});
  const LayerJacobian loop(model, "input", "act2", {inputs.slice(0, 0, 8)}, {.route = "vjp"});
  const at::Tensor left = random.normal_tensor({64 * width, width}).to(at::kFloat);
  const at::Tensor right = random.normal_tensor({width, width}).to(at::kFloat);
  std::vector<double> product_seconds, loop_seconds, gemm_seconds;
  for (int run = 0; run < 2; ++run) {
    benchmark::DoNotOptimize(product({inputs}).blocks.data_ptr());
    benchmark::DoNotOptimize(loop({inputs}).blocks.data_ptr());
    benchmark::DoNotOptimize(left.matmul(right).data_ptr());
  }
  for (auto _ : state) {
    time_into(product_seconds,
              [&] { benchmark::DoNotOptimize(product({inputs}).blocks.data_ptr()); });
    state.SetIterationTime(product_seconds.back());
    time_into(loop_seconds, [&] { benchmark::DoNotOptimize(loop({inputs}).blocks.data_ptr()); });
    time_into(gemm_seconds, [&] { benchmark::DoNotOptimize(left.matmul(right).data_ptr()); });
  }
  state.counters["masked_product_s"] = median(product_seconds);
  state.counters["vjp_s"] = median(loop_seconds);
  state.counters["gemm_s"] = median(gemm_seconds);
  state.counters["ratio_vjp"] = median(loop_seconds) / median(product_seconds);
  state.counters["share_of_gemm_rate"] = median(gemm_seconds) / median(product_seconds);
  state.counters["threads"] = at::get_num_threads();
}

BENCHMARK(gradient)->UseManualTime()->Iterations(7)->Unit(benchmark::kMillisecond);
BENCHMARK(jacobian)->UseManualTime()->Iterations(21)->Unit(benchmark::kMillisecond);

}  // namespace
