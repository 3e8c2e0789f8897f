// Every generated kind: reproducible, independent of what is drawn with it, streaming.

#include <cmath>
#include <cstdio>

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/fft_rfft.h>
#include <ATen/ops/linalg_solve.h>
#include <ATen/ops/linalg_svdvals.h>
#include <ATen/ops/matmul.h>

#include "data/support.h"
#include "descramble/core/safetensors.h"

namespace descramble::test {
namespace {

using nlohmann::json;

std::vector<std::string> generated_kinds() {
  std::vector<std::string> names;
  for (const SourceKind& kind : source_kinds()) {
    if (kind.write != nullptr) names.push_back(kind.info.name);
  }
  return names;
}

class GeneratedKinds : public ::testing::TestWithParam<std::string> {
 protected:
  Source opened(std::int64_t count, std::uint64_t seed = 1, const std::string& split = "train",
                const json& fields = json::object()) const {
    json value = {{"kind", GetParam()}, {"count", count}};
    value.update(fields);
    return open(value, {.seed = seed, .split = split});
  }
  bool has(const std::string& field) const {
    for (const Field& one : source_family().find(GetParam())->fields) {
      if (one.name == field) return true;
    }
    return false;
  }
};

void expect_same(const Batch& a, const Batch& b) {
  EXPECT_TRUE(bit_equal(a.inputs.at(0), b.inputs.at(0)));
  ASSERT_EQ(a.labels.defined(), b.labels.defined());
  if (a.labels.defined()) {
    EXPECT_TRUE(bit_equal(a.labels, b.labels));
  }
}

TEST_P(GeneratedKinds, SampleDependsOnSeedSplitAndIndexAlone) {
  const Source source = opened(40);
  const Batch all = source.data->slice(0, 40);
  expect_same(all, opened(40).data->slice(0, 40));
  expect_same(source.data->slice(7, 12), opened(12).data->slice(7, 12));
  for (const std::int64_t index : {0, 17, 39}) {
    const Batch one = source.data->gather({index});
    EXPECT_TRUE(bit_equal(one.inputs.at(0), all.inputs.at(0).narrow(0, index, 1))) << index;
    if (all.labels.defined()) {
      EXPECT_TRUE(bit_equal(one.labels, all.labels.narrow(0, index, 1))) << index;
    }
  }
  EXPECT_FALSE(bit_equal(all.inputs.at(0), opened(40, 2).data->slice(0, 40).inputs.at(0)));
  EXPECT_FALSE(bit_equal(all.inputs.at(0), opened(40, 1, "test").data->slice(0, 40).inputs.at(0)));
}

TEST_P(GeneratedKinds, IsTheSameWithEachNumberOfThreads) {
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const Batch alone = opened(70).data->slice(0, 70);
  at::set_num_threads(3);
  expect_same(alone, opened(70).data->slice(0, 70));
  at::set_num_threads(before);
}

TEST_P(GeneratedKinds, KeptInMemoryIsTheSame) {
  if (!has("keep")) GTEST_SKIP() << "this kind is never kept";
  const Source kept = opened(25, 1, "train", {{"keep", true}});
  expect_same(opened(25).data->slice(0, 25), kept.data->slice(0, 25));
  expect_same(opened(25).data->gather({3, 3, 24}), kept.data->gather({3, 3, 24}));
  EXPECT_EQ(kept.data->input_scale().values, opened(25).data->input_scale().values);
}

TEST_P(GeneratedKinds, IsWrittenAndReadBack) {
  const TemporaryFolder folder;
  const Source source = opened(1030);
  WrittenFiles files;
  for (const SourceKind& kind : source_kinds()) {
    if (kind.info.name == GetParam()) files = kind.write(*source.data, folder.path(), "train");
  }
  ASSERT_FALSE(files.empty());
  for (const auto& [role, name] : files)
    EXPECT_TRUE(std::filesystem::exists(folder / name)) << role;
  if (files[0].first != "tensors") return;
  const Batch written = open({{"kind", "safetensors"},
                              {"path", (folder / files[0].second).string()},
                              {"inputs", "inputs"},
                              {"labels", source.data->has_labels() ? json("labels") : json()}})
                            .data->slice(0, 1030);
  expect_same(source.data->slice(0, 1030), written);
}

INSTANTIATE_TEST_SUITE_P(Generated, GeneratedKinds, ::testing::ValuesIn(generated_kinds()),
                         [](const auto& kind) { return kind.param; });

TEST(Bandpass, PassesTheBandAlone) {
  const Source source = open({{"kind", "bandpass"}, {"count", 5}});
  const Batch batch = source.data->slice(0, 5);
  const at::Tensor before = at::fft_rfft(batch.inputs[0]);
  const at::Tensor after = at::fft_rfft(batch.labels);
  EXPECT_LE((after - before).narrow(1, 10, 41).abs().max().item<double>(), 1e-3);
  EXPECT_LE(after.narrow(1, 0, 10).abs().max().item<double>(), 1e-3);
  EXPECT_LE(after.narrow(1, 51, 462).abs().max().item<double>(), 1e-3);
  EXPECT_NEAR(source.data->input_scale().values.back(), 1023.0 / 1024, 1e-12);
  EXPECT_THAT(
      [] {
        open({{"kind", "bandpass"}, {"high", 600}});
      },
      ThrowsError("the rate does not resolve", "/data/high", "512", "600"));
  EXPECT_THAT(
      [] {
        open({{"kind", "bandpass"}, {"low", 60}});
      },
      ThrowsError("no pass band", "/data/low", "less than 50", "60 Hz"));
}

// A fault is told at the field that has it, before anything is drawn.
TEST(Generated, ImpossibleSettingsAreToldAtTheirField) {
  EXPECT_THAT(
      [] {
        open({{"kind", "biexponential"}, {"low", 100}, {"high", 100}});
      },
      ThrowsError("/data/grid", "1 decay time", "50 from 100 to 100"));
  EXPECT_THAT(
      [] {
        open({{"kind", "biexponential"}, {"grid", 1}});
      },
      ThrowsError("/data/grid", "low = high", "1 from 50 to 500"));
  EXPECT_THAT(
      [] {
        open({{"kind", "deer"}, {"times", json::array()}});
      },
      ThrowsError("no times", "/data/times", "or null", "[]"));
  // 10⁹ samples of 96 bytes; with a limit only those that are used are kept.
  const json large = {
      {"kind", "linear"}, {"count", 1000000000}, {"keep", true}, {"inputs", 16}, {"outputs", 8}};
  EXPECT_THAT([&] { open(large); },
              ThrowsError("too many samples to keep", "/data/keep", "4096 MiB", "96 bytes"));
  json few = large;
  few["limit"] = 10;
  EXPECT_EQ(open(few).data->size(), 10);
  EXPECT_EQ(open({{"kind", "linear"}, {"inputs", 1}, {"signal", "biexponential"}, {"alpha", 0}})
                .data->slice(0, 1)
                .inputs[0]
                .item<float>(),
            1);
}

TEST(Linear, LabelsAreTheMapOfWhitenedInputs) {
  const Source source = open({{"kind", "linear"}, {"count", 20000}, {"inputs", 8}, {"outputs", 4}});
  const Batch batch = source.data->slice(0, 20000);
  const at::Tensor x = batch.inputs[0].to(at::kDouble);
  const at::Tensor covariance = x.t().matmul(x) / 20000;
  EXPECT_LE((covariance - at::eye(8, at::kDouble)).abs().max().item<double>(), 0.05);
  // y = M x exactly: M from the normal equations has the singular values that were asked for.
  const at::Tensor map =
      at::linalg_solve(x.t().matmul(x), x.t().matmul(batch.labels.to(at::kDouble))).t();
  const at::Tensor singular = at::linalg_svdvals(map);
  for (std::int64_t i = 0; i < 4; ++i)
    EXPECT_NEAR(singular[i].item<double>(), 4 * std::pow(0.8, static_cast<double>(i)), 1e-5);
}

TEST(Oscillation, IsIsotropicOverWholePeriods) {
  const Source source = open({{"kind", "oscillation"}, {"count", 50000}, {"frequencies", 4}});
  const at::Tensor s = source.data->slice(0, 50000).inputs[0].to(at::kDouble);
  EXPECT_LE((s.t().matmul(s) / 50000 - at::eye(8, at::kDouble) / 2).abs().max().item<double>(),
            0.02);
  EXPECT_LE(s.mean(0).abs().max().item<double>(), 0.02);
}

}  // namespace
}  // namespace descramble::test
