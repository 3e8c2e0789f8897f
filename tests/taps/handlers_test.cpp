// Observing, replacing, capturing, stopping early; what does not fire, does not fit, or throws.

#include <atomic>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <thread>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include "descramble/taps/tap.h"
#include "descramble/taps/tapped_model.h"
#include "model/fixtures.h"

namespace descramble::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Selectors, NameGlobAndInput) {
  const std::vector<std::string> names{"input",    "features.0", "features.0.cat",
                                       "features", "fc",         "output"};
  EXPECT_THAT(select_names(names, "fc"), ElementsAre("fc"));
  EXPECT_THAT(select_names(names, "features.*"), ElementsAre("features.0"));
  EXPECT_THAT(select_names(names, "f*"), ElementsAre("features", "fc"));
  EXPECT_THAT(select_names(names, "features.**"), ElementsAre("features.0", "features.0.cat"));
  EXPECT_THAT(select_names(names, "**.cat"), ElementsAre("features.0.cat"));
  EXPECT_EQ(select_names(names, "**").size(), names.size());
  EXPECT_THAT(select_names(names, "*"), ElementsAre("input", "features", "fc", "output"));
  EXPECT_THAT(select_names(names, "fc.input"), ElementsAre("fc.input"));
  EXPECT_THAT([&] { select_names(names, "feature"); },
              ThrowsError("unknown tap 'feature'", "'features'"));
  EXPECT_THAT([&] { select_names(names, "x*"); }, ThrowsError("unknown tap 'x*'"));
  EXPECT_THAT([&] { select_names(names, ""); }, ThrowsError("unknown tap ''"));
}

TEST(Selectors, UnknownTapsListTheNearest) {
  const Model model = fixture("mlp").load();
  EXPECT_THAT([&] { tap_model(model, {"fc4"}); }, ThrowsError("unknown tap 'fc4'", "'fc1'"));
  EXPECT_THAT(
      [&] {
        const Watch watch = tap_model(model, {"fc1"}).observe("fc2", [](const at::Tensor&) {});
      },
      ThrowsError("'fc2'", "'fc1'"));
  EXPECT_THAT([&] { tap_model(model, {"fc1"}).split("fc2"); }, ThrowsError("'fc2'", "'fc1'"));
  EXPECT_THAT([&] { tap_model(model, {"input.input"}); },
              ThrowsError("'input.input' cannot be reached"));
}

TEST(Selectors, InputOfAPointIsWhatItsCallReceives) {
  const auto inputs = tensors_of(fixture("mlp").inputs());
  const TappedModel tapped =
      tap_model(fixture("mlp").load(), {"act1", "fc2.input", "input", "fc1.input"});
  std::map<std::string, std::vector<at::Tensor>> values;
  std::vector<Watch> watches;
  for (const TapPoint& point : tapped.points())
    watches.push_back(tapped.capture(point.name, values[point.name]));
  tapped.forward(inputs);
  EXPECT_TRUE(bit_equal(values["act1"].at(0), values["fc2.input"].at(0)));
  EXPECT_TRUE(bit_equal(values["input"].at(0), inputs[0]));
  EXPECT_TRUE(bit_equal(values["fc1.input"].at(0), inputs[0]));
}

TEST(Observe, RemovingOneRemovesOnlyItself) {
  const auto inputs = tensors_of(fixture("mlp").inputs());
  const TappedModel tapped = tap_model(fixture("mlp").load(), {"fc1"});
  int first = 0;
  int second = 0;
  std::optional<Watch> one = tapped.observe("fc1", [&](const at::Tensor&) { ++first; });
  Watch two = tapped.observe("fc1", [&](const at::Tensor&) { ++second; });
  tapped.forward(inputs);
  one.reset();
  tapped.forward(inputs);
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
  const Watch moved = std::move(two);
  tapped.forward(inputs);
  EXPECT_EQ(second, 3);
}

TEST(Observe, AWatchMayOutliveTheModel) {
  Watch watch;
  {
    const TappedModel tapped = tap_model(fixture("mlp").load(), {"fc1"});
    watch = tapped.observe("fc1", [](const at::Tensor&) {});
  }
  watch.release();
}

TEST(Observe, AHandlerMayReleaseAnyWatchItsOwnToo) {
  const auto inputs = tensors_of(fixture("mlp").inputs());
  const TappedModel tapped = tap_model(fixture("mlp").load(), {"fc1", "fc2"});
  std::map<std::string, int> fired;
  std::map<std::string, Watch> watches;
  const auto count = [&](const std::string& name) {
    return [&fired, name](const at::Tensor&) { ++fired[name]; };
  };
  watches["before"] = tapped.observe("fc1", count("before"));
  watches["own"] = tapped.observe("fc1", [&](const at::Tensor&) {
    ++fired["own"];
    for (const char* name : {"before", "own", "behind", "elsewhere"}) watches[name].release();
    ++fired["own, to its end"];
  });
  watches["behind"] = tapped.observe("fc1", count("behind"));
  watches["kept"] = tapped.observe("fc1", count("kept"));
  watches["elsewhere"] = tapped.observe("fc2", count("elsewhere"));
  for (int run = 0; run < 3; ++run) tapped.forward(inputs);
  EXPECT_EQ(fired, (std::map<std::string, int>{
                       {"before", 1}, {"own", 1}, {"own, to its end", 1}, {"kept", 3}}));
}

TEST(Observe, AHandlerMayAddAWatchWhichRunsFromTheNextTimeOn) {
  const auto inputs = tensors_of(fixture("mlp").inputs());
  const TappedModel tapped = tap_model(fixture("mlp").load(), {"fc1"});
  int added = 0;
  std::vector<Watch> watches;
  const Watch adding = tapped.observe("fc1", [&](const at::Tensor&) {
    if (watches.size() < 20)
      watches.push_back(tapped.observe("fc1", [&](const at::Tensor&) { ++added; }));
  });
  tapped.forward(inputs);
  EXPECT_EQ(added, 0);
  tapped.forward(inputs);
  EXPECT_EQ(added, 1);
}

TEST(Observe, AHandlerMayDropTheModel) {
  const auto inputs = tensors_of(fixture("mlp").inputs());
  auto tapped = std::make_unique<TappedModel>(tap_model(fixture("mlp").load(), {"fc1"}));
  const at::Tensor expected = tapped->forward(inputs);
  const Watch watch = tapped->observe("fc1", [&](const at::Tensor&) { tapped.reset(); });
  EXPECT_TRUE(bit_equal(tapped->forward(inputs), expected));
  EXPECT_EQ(tapped, nullptr);
}

TEST(Observe, HandlersRunInTheirOrderOnWhatTheOneBeforeLeft) {
  const auto inputs = tensors_of(fixture("mlp").inputs());
  const TappedModel tapped = tap_model(fixture("mlp").load(), {"act2", "fc3"});
  at::Tensor seen;
  const Watch one = tapped.replace("act2", [](const at::Tensor& h) { return at::zeros_like(h); });
  const Watch two = tapped.observe("act2", [&](const at::Tensor& h) { seen = h; });
  const at::Tensor output = tapped.forward(inputs);
  EXPECT_EQ(seen.abs().max().item<float>(), 0);
  at::Tensor bias;
  for (const auto& [name, value] : tapped.model().parameters()) {
    if (name == "fc3.bias") bias = value;
  }
  EXPECT_TRUE(bit_equal(output, bias.detach().expand_as(output)));
}

TEST(Replace, RefusesAnotherShapeOrDtype) {
  const auto inputs = tensors_of(fixture("mlp").inputs());
  const TappedModel tapped = tap_model(fixture("mlp").load(), {"fc1"});
  {
    const Watch watch =
        tapped.replace("fc1", [](const at::Tensor& h) { return h.narrow(1, 0, 3); });
    EXPECT_THAT([&] { tapped.forward(inputs); },
                ThrowsError("does not fit", "fc1", "4x16 float32", "4x3 float32"));
  }
  {
    const Watch watch =
        tapped.replace("fc1", [](const at::Tensor& h) { return h.to(at::kDouble); });
    EXPECT_THAT([&] { tapped.forward(inputs); }, ThrowsError("does not fit", "4x16 float64"));
  }
  {
    const Watch watch = tapped.replace("fc1", [](const at::Tensor&) { return at::Tensor(); });
    EXPECT_THAT([&] { tapped.forward(inputs); }, ThrowsError("does not fit", "undefined"));
  }
  tapped.forward(inputs);  // and works again
}

TEST(Replace, ReachesWhateverSharesTheMemory) {
  // y = fc(x); v = y[:, :2]; v *= 2; relu_(v); fc2(y): what replaces v must be seen in y.
  for (const char* name : {"mutated_view", "mutated_view_traced"}) {
    const Fixture& what = fixture(name);
    const auto inputs = tensors_of(what.inputs());
    const at::NoGradGuard no_grad;
    const at::Tensor untouched = what.load().forward(inputs);
    for (const char* tap : {"slice_1", "mul", "relu"}) {
      SCOPED_TRACE(tap);
      const TappedModel tapped = tap_model(what.load(), {tap, "fc2.input"});
      at::Tensor seen;
      const Watch observe =
          tapped.observe("fc2.input", [&](const at::Tensor& y) { seen = y.clone(); });
      {
        const Watch same = tapped.replace(tap, [](const at::Tensor& v) { return v.clone(); });
        EXPECT_TRUE(bit_equal(tapped.forward(inputs), untouched));
      }
      const Watch zero = tapped.replace(tap, [](const at::Tensor& v) { return at::zeros_like(v); });
      tapped.forward(inputs);
      EXPECT_EQ(seen.narrow(1, 0, 2).abs().max().item<float>(), 0);
    }
  }
}

TEST(Replace, AtAnInPlaceOperationWhoseResultNobodyTakes) {
  const Fixture& what = fixture("inplace_relu_functional");
  const auto inputs = tensors_of(what.inputs());
  const at::NoGradGuard no_grad;
  const TappedModel tapped = tap_model(what.load(), {"add", "fc2.input"});
  at::Tensor seen;
  const Watch observe = tapped.observe("fc2.input", [&](const at::Tensor& y) { seen = y.clone(); });
  const Watch zero = tapped.replace("add", [](const at::Tensor& v) { return at::zeros_like(v); });
  tapped.forward(inputs);
  EXPECT_EQ(seen.abs().max().item<float>(), 0);
}

TEST(Replace, LeavesTheCallersInputAlone) {
  for (const char* name : {"resnet_blocks_scripted", "skip"}) {
    const auto inputs = tensors_of(fixture(name).inputs());
    const at::Tensor before = inputs[0].clone();
    const TappedModel tapped = tap_model(fixture(name).load(), {"input"});
    const Watch zero =
        tapped.replace("input", [](const at::Tensor& v) { return at::zeros_like(v); });
    tapped.forward(inputs);
    EXPECT_TRUE(bit_equal(inputs[0], before));
  }
}

TEST(Differentiate, ThroughATapAndAReplacement) {
  const TappedModel tapped = tap_model(fixture("mlp").load(), {"fc1"});
  const at::Tensor scale = at::ones({16}).set_requires_grad(true);
  const Watch watch = tapped.replace("fc1", [&](const at::Tensor& h) { return h * scale; });
  tapped.forward(tensors_of(fixture("mlp").inputs())).sum().backward();
  ASSERT_TRUE(scale.grad().defined());
  EXPECT_GT(scale.grad().abs().max().item<float>(), 0);
}

TEST(Capture, KeepsWhatInPlaceOperationsOverwrite) {
  const Fixture& what = fixture("conv_inplace_scripted");
  const auto inputs = tensors_of(what.inputs());
  const TappedModel tapped = tap_model(what.load(), {"features.0", "features.1"});
  std::vector<at::Tensor> before;
  std::vector<at::Tensor> after;
  const Watch one = tapped.capture("features.0", before);
  const Watch two = tapped.capture("features.1", after);
  tapped.forward(inputs);
  ASSERT_EQ(before.size(), 1u);
  EXPECT_LT(before[0].min().item<float>(), 0);
  EXPECT_TRUE(bit_equal(at::relu(before[0]), after[0]));
}

TEST(ForwardUntil, StopsAndAgrees) {
  const Fixture& what = fixture("resnet_blocks_scripted");
  const auto inputs = tensors_of(what.inputs());
  const TappedModel tapped = tap_model(what.load());
  for (const TapPoint& point : tapped.points()) {
    std::vector<at::Tensor> values;
    {
      const Watch watch = tapped.capture(point.name, values);
      tapped.forward(inputs);
    }
    bool later = false;
    std::optional<Watch> last;
    if (point.name != "output")
      last = tapped.observe("output", [&](const at::Tensor&) { later = true; });
    EXPECT_TRUE(bit_equal(tapped.forward_until(point.name, inputs), values.at(0))) << point.name;
    EXPECT_FALSE(later);
  }
}

TEST(Firing, ATapThatDoesNotFireIsAnError) {
  const Fixture& what = fixture("if_branch");
  const auto positive = tensors_of(what.inputs(0));
  const TappedModel tapped = tap_model(what.load(), {"first", "second"});
  const Watch watch = tapped.observe("second", [](const at::Tensor&) {});
  EXPECT_THAT([&] { tapped.forward(positive); },
              ThrowsError("'second' did not fire", "branch or loop"));
  EXPECT_NO_THROW(tapped.forward(tensors_of(what.inputs(1))));
  EXPECT_THAT([&] { tapped.forward_until("second", positive); },
              ThrowsError("'second' did not fire"));
}

TEST(Firing, InALoopAsOftenAsItRuns) {
  const Fixture& what = fixture("for_loop");
  const TappedModel tapped = tap_model(what.load());
  std::vector<at::Tensor> values;
  const Watch watch = tapped.capture("fc", values);
  tapped.forward(tensors_of(what.inputs()));
  EXPECT_EQ(values.size(), 3u);
  EXPECT_FALSE(bit_equal(values.at(0), values.at(1)));
  for (const TapReading& reading : read_taps(what.load(), what.inputs())) {
    EXPECT_EQ(reading.fired, reading.point.in_control_flow ? 3 : 1) << reading.point.name;
  }
}

TEST(Firing, UnusedAndEqualTapsFireOnceEachRun) {
  for (const char* name : {"unused_tap", "equal_taps"}) {
    const Fixture& what = fixture(name);
    for (int run = 1; run <= 4; ++run) {
      for (const TapReading& reading : read_taps(what.load(), what.inputs()))
        EXPECT_EQ(reading.fired, 1) << reading.point.name;
    }
  }
}

TEST(Firing, ReadingsCarryShapeAndDtype) {
  const auto readings = read_taps(fixture("mlp").load(), fixture("mlp").inputs());
  ASSERT_EQ(readings.size(), 7u);
  EXPECT_EQ(readings[1].point.name, "fc1");
  EXPECT_EQ(readings[1].point.type, "Linear");
  EXPECT_EQ(readings[1].point.kind, "module");
  EXPECT_EQ(readings[1].shape, "4x16");
  EXPECT_EQ(readings[1].dtype, "float32");
}

struct Mine : std::runtime_error {
  using std::runtime_error::runtime_error;
};

TEST(Exceptions, KeepTheirType) {
  const auto inputs = tensors_of(fixture("mlp").inputs());
  const TappedModel tapped = tap_model(fixture("mlp").load(), {"fc1"});
  {
    const Watch watch = tapped.observe("fc1", [](const at::Tensor&) { throw Mine("mine"); });
    EXPECT_THROW(tapped.forward(inputs), Mine);
    EXPECT_THROW(tapped.forward_until("fc1", inputs), Mine);
  }
  {
    const Watch watch = tapped.observe("fc1", [](const at::Tensor&) { throw 7; });
    EXPECT_THROW(tapped.forward(inputs), int);
  }
  EXPECT_NO_THROW(tapped.forward(inputs));
}

TEST(Exceptions, OfTheModelAreOneLine) {
  const Model model = fixture("raises").load();
  const TappedModel tapped = tap_model(model);
  const auto nan =
      fixture("raises").inputs()[0].toTensor() * std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT([&] { tapped.forward({nan}); }, ThrowsError("raises an exception", "not a number"));
  EXPECT_THAT([&] { model.forward({nan}); }, ThrowsError("raises an exception", "not a number"));
}

TEST(WrongInput, IsOneLineWithWhatWasExpectedAndFound) {
  const Model model = fixture("mlp").load();
  const TappedModel tapped = tap_model(model);
  const SplitModel split = tapped.split("fc1");
  const at::Tensor wrong = at::zeros({4, 9});
  for (const auto& run : std::vector<std::function<void()>>{[&] { model.forward({wrong}); },
                                                            [&] { tapped.forward({wrong}); },
                                                            [&] { split.prefix({wrong}); }}) {
    EXPECT_THAT(run, ThrowsError("does not take this input", "4x9 float32", "8"));
  }
  EXPECT_THAT(
      [&] {
        tapped.forward({at::zeros({4, 8}, at::kDouble)});
      },
      ThrowsError("another dtype than the model", "\"dtype\" in the config", "4x8 float64"));
  EXPECT_THAT([&] { tapped.forward({}); }, ThrowsError("does not take this input"));
  EXPECT_THAT([&] { tapped.forward({wrong, wrong}); }, ThrowsError("does not take this input"));
  EXPECT_THAT([&] { tapped.forward_values({c10::IValue("text")}); },
              ThrowsError("does not take this input"));
  const Cut cut = split.prefix(tensors_of(fixture("mlp").inputs()));
  EXPECT_THAT([&] { split.suffix(cut.with(wrong)); },
              ThrowsError("rest of the model", "fc1", "4x9 float32"));
}

TEST(SplitCut, TakesAnotherValue) {
  const Fixture& what = fixture("skip");
  const auto inputs = tensors_of(what.inputs());
  const at::NoGradGuard no_grad;
  const TappedModel tapped = tap_model(what.load(), {"act"});
  const SplitModel split = tapped.split("act");
  const Cut cut = split.prefix(inputs);
  const Watch watch = tapped.replace("act", [](const at::Tensor& h) { return h * 2; });
  EXPECT_TRUE(bit_equal(split.suffix(cut.with(cut.value * 2)), tapped.forward(inputs)));
}

TEST(Nested, TwoTappedModelsOfOneModel) {
  const auto inputs = tensors_of(fixture("mlp").inputs());
  const Model model = fixture("mlp").load();
  const TappedModel outer = tap_model(model, {"fc1"});
  const TappedModel inner = tap_model(model, {"fc1"});
  const Watch watch = outer.observe("fc1", [&](const at::Tensor&) { inner.forward(inputs); });
  EXPECT_TRUE(bit_equal(outer.forward(inputs), model.forward(inputs)));
}

TEST(Threads, ASecondForwardAtTheSameTimeIsRefused) {
  const auto inputs = tensors_of(fixture("mlp").inputs());
  const Model model = fixture("mlp").load();
  const TappedModel tapped = tap_model(model, {"fc1"});
  // Of a handler, and of another thread while a handler waits for it.
  const Watch inside = tapped.observe("fc1", [&](const at::Tensor&) {
    EXPECT_THAT([&] { tapped.forward(inputs); }, ThrowsError("a forward while another one runs"));
    std::thread([&] {
      EXPECT_THAT([&] { tapped.forward(inputs); }, ThrowsError("TappedModel::clone()"));
    }).join();
  });
  const at::Tensor expected = model.forward(inputs);
  EXPECT_TRUE(bit_equal(tapped.forward(inputs), expected));
  EXPECT_TRUE(bit_equal(tapped.forward(inputs), expected)) << "a refusal leaves nothing behind";
}

TEST(Threads, ClonesRunAtOnceAndKeepTheirHandlersApart) {
  const auto inputs = tensors_of(fixture("mlp").inputs());
  const Model model = fixture("mlp").load();
  const TappedModel tapped = tap_model(model, {"fc*"});
  const at::Tensor expected = model.forward(inputs);
  std::atomic<int> seen{0};
  const Watch watch = tapped.observe("fc1", [&](const at::Tensor&) { ++seen; });
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, own = tapped.clone()] {
      for (int pass = 0; pass < 20; ++pass) EXPECT_TRUE(bit_equal(own.forward(inputs), expected));
    });
  }
  for (int pass = 0; pass < 20; ++pass) tapped.forward(inputs);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(seen, 20) << "the listener hears its own passes alone";
  const TappedModel clone = tapped.clone();
  EXPECT_EQ(clone.points().size(), tapped.points().size());
  // The weights are shared.
  const at::NoGradGuard no_grad;
  model.parameters()[0].second.zero_();
  EXPECT_FALSE(bit_equal(clone.forward(inputs), expected));
  EXPECT_TRUE(bit_equal(clone.forward(inputs), tapped.forward(inputs)));
}

TEST(TapScopes, ObserveAndReplaceInCppModules) {
  const at::Tensor value = at::ones({2, 3});
  EXPECT_TRUE(tap("fc", value).is_same(value));
  TapScope outer;
  at::Tensor seen;
  outer.observe("fc", [&](const at::Tensor& h) { seen = h; });
  EXPECT_TRUE(tap("fc", value).is_same(value));
  {
    TapScope inner;
    inner.replace("fc", [](const at::Tensor& h) { return h * 2; });
    EXPECT_TRUE(bit_equal(tap("fc", value), value * 2));
    EXPECT_TRUE(bit_equal(seen, value * 2));
    EXPECT_TRUE(tap("other", value).is_same(value));
    EXPECT_EQ(inner.fired("fc"), 1);
  }
  EXPECT_TRUE(tap("fc", value).is_same(value));
  EXPECT_EQ(outer.fired("fc"), 3);
  EXPECT_EQ(outer.fired("other"), 1);
  EXPECT_EQ(outer.fired("none"), 0);
}

TEST(TapScopes, DifferentiateAndKeepTheOrder) {
  const at::Tensor value = at::ones({3}).set_requires_grad(true);
  TapScope scope;
  scope.replace("h", [](const at::Tensor& h) { return h + 1; });
  scope.replace("h", [](const at::Tensor& h) { return h * 3; });
  const at::Tensor result = tap("h", value);
  EXPECT_EQ(result[0].item<float>(), 6);
  result.sum().backward();
  EXPECT_EQ(value.grad()[0].item<float>(), 3);
}

TEST(TapScopes, AHandlerMayAddOthers) {
  TapScope scope;
  int added = 0;
  scope.observe(
      "h", [&](const at::Tensor&) { scope.observe("h", [&](const at::Tensor&) { ++added; }); });
  tap("h", at::ones({1}));
  EXPECT_EQ(added, 0);
  tap("h", at::ones({1}));
  EXPECT_EQ(added, 1);
}

TEST(TapScopes, AreOfTheirThread) {
  TapScope scope;
  scope.replace("h", [](const at::Tensor& h) { return h * 0; });
  at::Tensor elsewhere;
  std::thread([&] { elsewhere = tap("h", at::ones({1})); }).join();
  EXPECT_EQ(elsewhere.item<float>(), 1);
}

}  // namespace
}  // namespace descramble::test
