// Which rows of token models count: what lies in rows that do not count changes no figure.

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/jit/api/module.h>

#include "cli/command.h"
#include "descramble/core/safetensors.h"

namespace descramble::test {
namespace {

using ::testing::HasSubstr;

class Rows : public CommandTest {
 protected:
  static constexpr std::int64_t count = 60;
  static constexpr std::int64_t tokens = 6;

  /// Sequences of one to six tokens, at the beginning or (`padded_left`) at the end.
  static at::Tensor lengths_mask(bool padded_left) {
    const at::Tensor lengths = at::arange(count, at::kLong).remainder(tokens).add(1).unsqueeze(1);
    const at::Tensor mask = at::arange(tokens, at::kLong).unsqueeze(0).lt(lengths).to(at::kLong);
    return padded_left ? mask.flip(1) : mask;
  }

  static at::Tensor values() {
    at::manual_seed(3);
    return at::randn({count, tokens, 8});
  }

  void write(const at::Tensor& values, const at::Tensor& mask) const {
    save_safetensors(at("data.safetensors"), {{"x", values}, {"mask", mask}});
  }

  json config(const json& step, const std::string& name = "masked_tokens") const {
    return {{"name", "rows"},
            {"threads", 1},
            {"model", {{"kind", "torchscript"}, {"path", fixture(name + ".pt").string()}}},
            {"data",
             {{"kind", "safetensors"},
              {"path", at("data.safetensors").string()},
              {"inputs", {"x", "mask"}},
              {"batch_size", 16}}},
            {"steps", json::array({step})}};
  }

  json run(const json& step, const std::string& name = "masked_tokens") const {
    fs::remove_all(at("out"));
    const Outcome outcome = run_config(config(step, name));
    EXPECT_EQ(outcome.code, 0) << outcome.err;
    if (outcome.code != 0) return {};
    return json::parse(read(at("out") / "result.json"))["steps"][0];
  }

  NamedTensors tensors() const { return load_safetensors(at("out") / "tensors.safetensors"); }
};

const std::vector<json>& steps_with_rows() {
  static const json smoothness = {{"kind", "smoothness"}};
  static const std::vector<json> steps = {
      {{"kind", "statistics"}, {"taps", {"fc1", "fc2"}}},
      {{"kind", "descramble"}, {"tap", "fc1"}, {"objective", smoothness}},
      {{"kind", "descramble"},
       {"tap", "fc1"},
       {"objective", {{"kind", "quartimax"}}},
       {"solver", {{"kind", "riemannian_lbfgs"}, {"max_iterations", 5}, {"starts", 1}}}},
      {{"kind", "compare_solvers"},
       {"tap", "fc1"},
       {"objective", smoothness},
       {"solvers", json::array({{{"kind", "exact"}}})}},
      {{"kind", "completeness"},
       {"taps", "fc1"},
       {"statistics_data", "train"},
       {"bases", json::array({{{"kind", "pca"}}, {{"kind", "neurons"}}})},
       {"grid", {{"kind", "linear"}, {"points", 5}}}},
      {{"kind", "completeness"},
       {"taps", "fc1"},
       {"positions", "one"},
       {"bases", json::array({{{"kind", "pca"}}})},
       {"grid", {{"kind", "linear"}, {"points", 3}}}},
      {{"kind", "jacobian"}, {"from", "fc1"}, {"to", "fc2"}, {"positions", 3}}};
  return steps;
}

TEST_F(Rows, ThatDoNotCountChangeNoFigure) {
  for (const bool padded_left : {false, true}) {
    const at::Tensor mask = lengths_mask(padded_left);
    const at::Tensor first = mask.ne(0).logical_and(mask.cumsum(1).eq(1));
    for (const std::int64_t skip : {0, 1}) {
      for (const json& kind : steps_with_rows()) {
        json step = kind;
        step["rows"] = {{"mask", "mask"}, {"skip", skip}};
        write(values(), mask);
        json before = run(step);
        const json all = run(kind);
        // Padding may hold anything.
        write(values().masked_fill(mask.eq(0).unsqueeze(2), 7.0), mask);
        json after = run(step);
        const std::string where = step.dump();
        // The noise of the floor is as large as all rows are.
        for (json* result : {&before, &after}) {
          if (!result->contains("taps")) continue;
          for (json& tap : (*result)["taps"]) tap.erase("certificate");
        }
        for (const char* key : {"objective", "taps", "blocks", "l1", "frobenius"}) {
          if (!before.contains(key)) continue;
          EXPECT_EQ(before[key], after[key]) << where << " " << key;
        }
        EXPECT_NE(before.dump(), all.dump()) << where;
      }
    }
  }
}

TEST_F(Rows, AreThoseOfTheMask) {
  const at::Tensor mask = lengths_mask(false);
  write(values(), mask);
  for (const std::int64_t skip : {0, 1, 2}) {
    run({{"kind", "capture"}, {"taps", "fc1"}, {"limit", count}});
    const at::Tensor all = tensors().at("steps.0.fc1.values").to(at::kDouble).reshape({-1, 8});
    const at::Tensor counts = mask.ne(0).logical_and(mask.cumsum(1).gt(skip)).reshape({-1});
    const at::Tensor rows = all.index_select(0, counts.nonzero().flatten());
    json step = {{"kind", "statistics"}, {"taps", "fc1"}, {"rows", {{"mask", "mask"}}}};
    step["rows"]["skip"] = skip;
    const json found = run(step);
    EXPECT_EQ(found["taps"][0]["count"], rows.size(0));
    EXPECT_LE((tensors().at("steps.0.fc1.mean") - rows.mean(0)).abs().max().item<double>(), 1e-12);
  }
}

TEST_F(Rows, OfAMaskThatTheModelDoesNotTake) {
  // Channels of a 1-D convolution: positions are rows.
  save_safetensors(
      at("data.safetensors"),
      {{"x", at::randn({20, 3, 16})}, {"mask", at::arange(320, at::kLong).reshape({20, 16})}});
  const json channels = run({{"kind", "statistics"},
                             {"taps", "input"},
                             {"axis", "channels"},
                             {"rows", {{"mask", "mask"}}}},
                            "conv1d");
  EXPECT_EQ(channels["taps"][0]["count"], 319);
}

TEST_F(Rows, ThatAreAllOfThemChangeNothing) {
  write(values(), at::ones({count, tokens}, at::kLong));
  for (const json& kind : steps_with_rows()) {
    json step = kind;
    step["rows"] = {{"mask", "mask"}};
    EXPECT_EQ(run(step), run(kind)) << kind;
  }
}

TEST_F(Rows, OfValuesWithHeadsAreThoseOfTheToken) {
  const at::Tensor mask = lengths_mask(false).slice(1, 0, 5);
  save_safetensors(at("data.safetensors"),
                   {{"x", values().slice(1, 0, 5).slice(2, 0, 6)}, {"mask", mask}});
  for (const std::int64_t skip : {0, 1}) {
    const at::Tensor counts = mask.ne(0).logical_and(mask.cumsum(1).gt(skip));
    for (const char* tap : {"behind", "front"}) {
      const std::string path = std::string("steps.0.") + tap + ".values";
      run({{"kind", "capture"}, {"taps", tap}, {"limit", count}}, "masked_heads");
      at::Tensor all = tensors().at(path).to(at::kDouble);  // [N, T, 2, 3] or [N, 2, T, 3]
      if (all.size(1) == 2) all = all.transpose(1, 2);
      const at::Tensor rows = all.index_select(0, at::arange(count, at::kLong))
                                  .reshape({count * 5, 6})
                                  .index_select(0, counts.reshape({-1}).nonzero().flatten())
                                  .reshape({-1, 3});
      json step = {{"kind", "statistics"}, {"taps", tap}, {"axis", "features"}};
      step["rows"] = {{"mask", "mask"}, {"skip", skip}};
      const json found = run(step, "masked_heads");
      EXPECT_EQ(found["taps"][0]["count"], rows.size(0)) << tap;
      EXPECT_LE((tensors().at(std::string("steps.0.") + tap + ".mean") - rows.mean(0))
                    .abs()
                    .max()
                    .item<double>(),
                1e-12);
      step["rows"] = {{"skip", 1}};
      fs::remove_all(at("out"));
      expect_refused(run_config(config(step, "masked_heads")),
                     {"which rows come first is not clear", tap});
    }
  }
}

TEST_F(Rows, AreToldBySampleAlone) {
  // As many samples in a batch as tokens: values [tokens, samples, d] look like [samples, tokens,
  // d].
  torch::jit::Module net("Net");
  net.define(
      "def forward(self, x, mask):\n  y = torch.tanh(x.transpose(0, 1))\n"
      "  return torch.sum(y, [0])\n");
  net.save(at("net.pt").string());
  write(values(), lengths_mask(false));
  json config =
      this->config({{"kind", "statistics"}, {"taps", "tanh"}, {"rows", {{"mask", "mask"}}}});
  config["model"]["path"] = at("net.pt").string();
  config["data"]["batch_size"] = tokens;
  expect_refused(run_config(config), {"rows are not told by sample", "tanh"});
}

TEST_F(Rows, OfAllSamplesTellWherePositionsAreDrawn) {
  // The check samples are as short as can be, all others as long.
  at::Tensor lengths = at::full({count}, tokens, at::kLong);
  for (std::int64_t i = 0; i < 8; ++i) lengths[i * count / 8] = 1;
  const at::Tensor mask = at::arange(tokens, at::kLong).unsqueeze(0).lt(lengths.unsqueeze(1));
  const json step = {{"kind", "jacobian"},
                     {"from", "fc1"},
                     {"to", "fc2"},
                     {"positions", 2},
                     {"rows", {{"mask", "mask"}}}};
  write(values(), mask.to(at::kLong));
  const json found = run(step);
  EXPECT_EQ(found["sampled_positions"].size(), 2U);
  EXPECT_NE(found["sampled_positions"], json::array({0, 1}));
  const at::Tensor mean = tensors().at("steps.0.fc1..fc2.mean");
  write(values().flip(0), mask.flip(0).to(at::kLong));
  EXPECT_EQ(run(step)["sampled_positions"], found["sampled_positions"]);
  EXPECT_LE((tensors().at("steps.0.fc1..fc2.mean") - mean).abs().max().item<double>(), 1e-9);
}

TEST_F(Rows, OfSamplesThatHaveNoneWeighNothing) {
  json step = {{"kind", "jacobian"},
               {"from", "fc1"},
               {"to", "fc2"},
               {"positions", tokens},
               {"rows", {{"mask", "mask"}}}};
  const at::Tensor mask = lengths_mask(false);
  write(values(), mask);
  const json without = run(step);
  EXPECT_EQ(without["warnings"], json::array());
  // The empty ones stand first, where the check looks.
  const at::Tensor empty = at::zeros({20, tokens}, at::kLong);
  write(at::cat({values().slice(0, 0, 20), values()}), at::cat({empty, mask}));
  const json with = run(step);
  for (const char* key : {"l1", "frobenius", "sparsity", "blocks"}) {
    EXPECT_NEAR(with[key].get<double>(), without[key].get<double>(),
                1e-6 * without[key].get<double>())
        << key;
  }
  EXPECT_EQ(with["sampled_positions"], without["sampled_positions"]);
  EXPECT_THAT(with["warnings"].dump(), HasSubstr("20 of 80 samples"));

  json sparse = {{"kind", "descramble"},
                 {"objective",
                  {{"kind", "jacobian_l1"},
                   {"taps", {"fc1", "fc2"}},
                   {"learn", {"fc1"}},
                   {"samples", 40},
                   {"held_out", 0.25}}},
                 {"solver", {{"kind", "annealed"}, {"starts", 1}, {"max_iterations", 2}}},
                 {"rows", {{"mask", "mask"}}}};
  // Every fourth sample is held out: none of those has a row.
  at::Tensor some = lengths_mask(false).slice(0, 0, 40);
  some = some.masked_fill(at::arange(40, at::kLong).remainder(4).eq(3).unsqueeze(1), 0);
  write(values().slice(0, 0, 40), some);
  fs::remove_all(at("out"));
  expect_refused(run_config(config(sparse)), {"no row of the samples counts", "held-out"});
  write(values().slice(0, 0, 40), at::zeros({40, tokens}, at::kLong));
  fs::remove_all(at("out"));
  expect_refused(run_config(config(sparse)), {"no row of the tap counts"});
}

TEST_F(Rows, ThatFitNothingAreRefused) {
  write(values(), lengths_mask(false));
  const auto refused = [&](json step, const std::vector<std::string>& parts) {
    fs::remove_all(at("out"));
    expect_refused(run_config(config(step)), parts);
  };
  const json statistics = {{"kind", "statistics"}, {"taps", "fc1"}};
  const auto with = [](json step, const json& rows) {
    step["rows"] = rows;
    return step;
  };
  refused(with(statistics, {{"mask", "masks"}}),
          {"/steps/0", "rows/mask", "one of 'x', 'mask'", "'masks'"});
  refused(with(statistics, {{"mask", "x"}}), {"the mask does not fit", "16x6", "16x6x8"});
  refused(with(statistics, {{"skip", 6}}), {"no row of the tap counts", "fc1"});
  refused(with(statistics, {{"skip", -1}}), {"/steps/0/rows/skip"});
  refused(with(statistics, {{"first", 1}}), {"unknown key 'first'", "'mask', 'skip'"});
  refused(with({{"kind", "statistics"}, {"taps", "head"}}, {{"skip", 1}}),
          {"no rows to skip", "one row"});
  refused(with({{"kind", "statistics"}, {"taps", "fc1"}, {"axis", "neurons"}}, {{"mask", "mask"}}),
          {"the mask does not fit"});
  refused(with({{"kind", "descramble"},
                {"tap", "fc1"},
                {"objective", {{"kind", "quartimax"}, {"of", "weight"}}}},
               {{"skip", 1}}),
          {"the objective looks at no rows"});
}

}  // namespace
}  // namespace descramble::test
