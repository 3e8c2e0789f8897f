// A torch::nn module as a model: the same numbers as the same network in TorchScript.

#include "descramble/taps/wrap_module.h"

#include <stdexcept>
#include <thread>

#include <gmock/gmock.h>
#include <torch/torch.h>

#include "descramble/analysis/completeness.h"
#include "descramble/analysis/descramble_layer.h"
#include "descramble/analysis/measure_jacobian.h"
#include "descramble/analysis/patch.h"
#include "descramble/analysis/tap_moments.h"
#include "descramble/core/random.h"
#include "descramble/data/tensor_set.h"
#include "descramble/taps/tap.h"
#include "descramble/taps/tapped_model.h"
#include "descramble/training/evaluation_scope.h"
#include "throws.h"

namespace descramble::test {

namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<std::string> three_taps{"fc1", "act1", "fc2"};

/// models/glyph_mlp.pt in C++.
struct GlyphNet : torch::nn::Module {
  GlyphNet() {
    fc1 = register_module("fc1", torch::nn::Linear(784, 64));
    fc2 = register_module("fc2", torch::nn::Linear(64, 32));
    fc3 = register_module("fc3", torch::nn::Linear(32, 10));
  }
  at::Tensor forward(const at::Tensor& x) {
    at::Tensor h = tap("flatten", x.flatten(1));
    h = tap("act1", torch::relu(tap("fc1", fc1->forward(h))));
    h = tap("act2", torch::relu(tap("fc2", fc2->forward(h))));
    return tap("fc3", fc3->forward(h));
  }
  torch::nn::Linear fc1{nullptr}, fc2{nullptr}, fc3{nullptr};
};

class WrappedModules : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    const Model loaded = load_model(std::string(DESCRAMBLE_SOURCE_DIR) + "/models/glyph_mlp.pt")
                             .to_dtype(at::kDouble);
    auto net = std::make_shared<GlyphNet>();
    net->to(torch::kFloat64);
    net->eval();
    const torch::NoGradGuard no_grad;
    const auto own = net->named_parameters();
    for (const auto& [name, value] : loaded.parameters()) own[name].copy_(value);
    script_ = new Model(loaded);
    module_ = new Model(wrap_module(net, torch::zeros({1, 1, 28, 28}, torch::kFloat64)));
    const at::Tensor images =
        random_stream(3, "images").uniform_tensor({120, 1, 28, 28}, 0, 1).to(at::kDouble);
    source_ = new Source(tensor_set(images, loaded.forward({images}).argmax(1), 32));
  }
  static void TearDownTestSuite() {
    delete script_;
    delete module_;
    delete source_;
  }

  /// The subjects, the one in TorchScript first.
  static std::vector<Subject> both() {
    return {open_subject(*script_, *source_), open_subject(*module_, *source_)};
  }
  static const Model& module() { return *module_; }

 private:
  static inline Model* script_ = nullptr;
  static inline Model* module_ = nullptr;
  static inline Source* source_ = nullptr;
};

double relative(double one, double other) {
  return std::abs(one - other) / std::max(1e-300, std::abs(one));
}

TEST_F(WrappedModules, HaveTheTapsOfTheirForward) {
  std::vector<std::string> names;
  for (const TapPoint& point : list_taps(module())) {
    names.push_back(point.name);
    EXPECT_FALSE(point.in_control_flow) << point.name;
  }
  EXPECT_THAT(names,
              ElementsAre("input", "flatten", "fc1", "act1", "fc2", "act2", "fc3", "output"));
  EXPECT_EQ(module().description().parameters, 784 * 64 + 64 + 64 * 32 + 32 + 320 + 10);
}

TEST_F(WrappedModules, GiveTheSameMoments) {
  std::vector<std::vector<TapMoments>> found;
  for (const Subject& subject : both())
    found.push_back(measure_taps(subject, subject.train, three_taps));
  for (std::size_t i = 0; i < three_taps.size(); ++i) {
    SCOPED_TRACE(three_taps[i]);
    const Moments& one = found[0][i].moments;
    const Moments& other = found[1][i].moments;
    EXPECT_EQ(one.count(), other.count());
    const double scale = one.covariance().abs().max().item<double>();
    EXPECT_LE((one.mean() - other.mean()).abs().max().item<double>(), 1e-12 * std::sqrt(scale));
    EXPECT_LE((one.covariance() - other.covariance()).abs().max().item<double>(), 1e-12 * scale);
  }
}

TEST_F(WrappedModules, GiveTheSameSmoothness) {
  std::vector<std::vector<LayerDescrambling>> found;
  for (const Subject& subject : both())
    found.push_back(descramble_layers(subject, {.taps = three_taps}));
  for (std::size_t i = 0; i < three_taps.size(); ++i) {
    SCOPED_TRACE(three_taps[i]);
    EXPECT_LE(relative(found[0][i].value.before, found[1][i].value.before), 1e-12);
    EXPECT_LE(relative(found[0][i].value.after, found[1][i].value.after), 1e-12);
  }
}

TEST_F(WrappedModules, GiveTheSameJacobians) {
  for (const auto& [from, to] : {std::pair{"fc1", "fc2"}, {"act1", "fc3"}, {"fc2", "output"}}) {
    SCOPED_TRACE(from);
    std::vector<MeasuredJacobian> found;
    for (const Subject& subject : both())
      found.push_back(measure_jacobian(subject, {.from = from, .to = to, .samples = 50}));
    EXPECT_NE(found[0].route, found[1].route) << "by the graph, and by differentiation";
    EXPECT_LE(relative(found[0].l1, found[1].l1), 1e-12);
    EXPECT_LE(relative(found[0].frobenius, found[1].frobenius), 1e-12);
  }
}

TEST_F(WrappedModules, GiveTheSameCompleteness) {
  std::vector<Completeness> found;
  for (const Subject& subject : both()) {
    found.push_back(measure_completeness(
        subject, {.taps = three_taps, .grid = {.kind = Grid::Kind::linear, .points = 5}}));
  }
  for (std::size_t i = 0; i < three_taps.size(); ++i) {
    SCOPED_TRACE(three_taps[i]);
    EXPECT_TRUE(found[0].taps[i].obstacle.empty());
    EXPECT_THAT(found[1].taps[i].obstacle, ::testing::Not(::testing::IsEmpty()))
        << "the whole network runs again, and the result says so";
    const auto& one = found[0].taps[i].curves;
    const auto& other = found[1].taps[i].curves;
    ASSERT_EQ(one.size(), other.size());
    for (std::size_t j = 0; j < one.size(); ++j) {
      ASSERT_EQ(one[j].scores.size(), other[j].scores.size());
      for (const auto& [ablated, score] : one[j].scores) {
        EXPECT_EQ(left_of(score), left_of(other[j].scores.at(ablated)));
        EXPECT_LE(relative(score.loss(), other[j].scores.at(ablated).loss()), 1e-12);
      }
    }
  }
}

/// Twice through one layer, and a branch that depends on the input.
at::Tensor odd_forward(const at::Tensor& x) {
  at::Tensor h = tap("step", x * 2);
  h = tap("step", h + 1);
  if (x.sum().item<double>() > 0) h = tap("positive", h * 3);
  return h;
}

TEST(WrapModule, NumbersNamesThatComeAgain) {
  const Model model =
      wrap_module([](const std::vector<at::Tensor>& inputs) { return odd_forward(inputs.at(0)); },
                  {{at::zeros({2, 3})}, {at::ones({2, 3})}});
  std::vector<std::string> names;
  for (const TapPoint& point : list_taps(model)) {
    names.push_back(point.name);
    EXPECT_EQ(point.in_control_flow, point.name == "positive") << point.name;
  }
  EXPECT_THAT(names, ElementsAre("input", "step", "step_1", "positive", "output"));
  const TappedModel tapped = tap_model(model, {"step*", "positive"});
  const Watch watch =
      tapped.replace("step_1", [](const at::Tensor& h) { return at::zeros_like(h); });
  EXPECT_EQ(tapped.forward({at::ones({2, 3})}).abs().max().item<double>(), 0);
  const Watch never = tapped.observe("positive", [](const at::Tensor&) {});
  EXPECT_THAT(
      [&] {
        tapped.forward({at::zeros({2, 3})});
      },
      ThrowsError("tap 'positive' did not fire", "a branch or loop"));
}

TEST(WrapModule, RefusesWhatDoesNotFit) {
  const auto forward = [](const at::Tensor& x) { return x.matmul(at::ones({3, 2})); };
  EXPECT_THAT(
      [&] {
        wrap_module(forward, at::ones({1, 4}), {.name = "mine"});
      },
      ThrowsError("the forward does not take the example", "mine"));
  EXPECT_THAT([&] { wrap_module(ModuleForward(), {}); }, ThrowsError("no example"));
  const Model model = wrap_module(forward, at::ones({1, 3}), {.name = "mine"});
  EXPECT_THAT([&] { tap_model(model, {"hidden"}); }, ThrowsError("hidden"));
  EXPECT_THAT([&] { model.forward({at::ones({1, 4})}); }, ThrowsError("mine"));
  EXPECT_THAT([&] { model.forward({at::ones({1, 3}), at::ones({1})}); }, ThrowsError("mine"));
  EXPECT_THAT([&] { model.save("never.pt"); }, ThrowsError("mine"));
  const TappedModel tapped = tap_model(model, {"input"});
  const Watch watch = tapped.replace("input", [](const at::Tensor&) { return at::ones({1}); });
  EXPECT_THAT(
      [&] {
        tapped.forward({at::ones({1, 3})});
      },
      ThrowsError("a replacement does not fit", "input"));
}

TEST(WrapModule, LeavesTheModeOfTheModule) {
  auto net = std::make_shared<GlyphNet>();
  net->train();
  const Model model = wrap_module(net, torch::zeros({1, 1, 28, 28}));
  EXPECT_TRUE(net->is_training());
  EXPECT_TRUE(model.is_training());
  model.set_training(false);
  EXPECT_FALSE(net->is_training());
}

/// What a pass does not write is not touched: a graph may hold it.
TEST(WrapModule, MayComeBetweenForwardAndBackward) {
  auto net = std::make_shared<GlyphNet>();
  const at::Tensor loss = net->forward(torch::rand({3, 1, 28, 28})).square().sum();
  wrap_module(net, torch::zeros({1, 1, 28, 28}));
  loss.backward();
  EXPECT_TRUE(net->fc1->weight.grad().defined());
}

TEST(TapScopes, KeepThreadsApartUnlessTheyAdopt) {
  TapScope scope;
  scope.observe("there", [](const at::Tensor&) {});
  const at::Tensor value = at::ones({1});
  std::thread([&] { tap("there", value); }).join();
  EXPECT_EQ(scope.fired("there"), 0);
  EXPECT_THAT([&] { scope.require_fired(); },
              ThrowsError("tap 'there' was not met", "TapScope::adopt"));
  const auto listeners = TapScope::listeners();
  std::vector<std::thread> workers;
  for (int i = 0; i < 4; ++i) {
    workers.emplace_back([&] {
      const auto adopted = TapScope::adopt(listeners);
      for (int j = 0; j < 100; ++j) tap("there", value);
    });
  }
  for (std::thread& worker : workers) worker.join();
  EXPECT_EQ(scope.fired("there"), 400);
  scope.require_fired();
  scope.observe("thare", [](const at::Tensor&) {});
  EXPECT_THAT([&] { scope.require_fired(); },
              ThrowsError("tap 'thare' was not met", "found 'there'"));
}

TEST(TapScopes, RefuseReplacementsThatDoNotFit) {
  const at::Tensor value = at::ones({2, 3});
  for (const at::Tensor& other : {at::ones({3}), at::ones({2, 3}, at::kDouble), at::Tensor()}) {
    TapScope scope;
    scope.replace("there", [&](const at::Tensor&) { return other; });
    EXPECT_THAT([&] { tap("there", value); },
                ThrowsError("a replacement does not fit", "tap 'there'", "2x3 float32"));
    TapScope every;
    every.replace_all([&](const std::string&, const at::Tensor&) { return other; });
    EXPECT_THAT([&] { tap("here", value); }, ThrowsError("a replacement does not fit", "'here'"));
  }
}

TEST(TapScopes, MayEndInAnyOrder) {
  const at::Tensor value = at::ones({1});
  auto outer = std::make_unique<TapScope>();
  auto middle = std::make_unique<TapScope>();
  auto inner = std::make_unique<TapScope>();
  for (const auto& scope : {&outer, &middle, &inner})
    (*scope)->observe("there", [](const at::Tensor&) {});
  middle.reset();
  outer.reset();
  tap("there", value);
  EXPECT_EQ(inner->fired("there"), 1);
  inner.reset();
  EXPECT_EQ(TapScope::listeners(), nullptr);
  tap("there", value);
}

TEST(TapScopes, ComplainOfATapOnAnotherThread) {
  const Model model = wrap_module(
      [](const at::Tensor& x) {
        at::Tensor result;
        const auto listeners = TapScope::listeners();
        std::thread([&] { result = tap("there", x * 2); }).join();
        return result;
      },
      at::ones({2, 3}));
  EXPECT_THAT([&] { tap_model(model, {"there"}); },
              ThrowsError("no tap point", "'there'", "thread", "TapScope::adopt"));
}

TEST(TapScopes, MayEndWhileTheThreadListensToOthers) {
  auto scope = std::make_unique<TapScope>();
  {
    const auto adopted = TapScope::adopt(nullptr);
    scope.reset();
  }
  EXPECT_EQ(TapScope::listeners(), nullptr);
  tap("there", at::ones({1}));
}

/// A module whose taps lie on threads of its own, which adopt the listeners of the forward.
Model on_threads() {
  return wrap_module(
      [](const at::Tensor& x) {
        const auto listeners = TapScope::listeners();
        std::vector<at::Tensor> parts(2);
        std::vector<std::thread> workers;
        for (std::size_t i = 0; i < parts.size(); ++i) {
          workers.emplace_back([&, i] {
            const at::NoGradGuard no_grad;
            const auto adopted = TapScope::adopt(listeners);
            parts[i] = tap("part", x + static_cast<double>(i));
          });
        }
        for (std::thread& worker : workers) worker.join();
        return parts[0] + parts[1];
      },
      at::ones({2, 3}));
}

TEST(ThreadsOfAForward, StopAndFailAsOnOne) {
  const TappedModel tapped = tap_model(on_threads(), {"part", "part_1"});
  for (int i = 0; i < 100; ++i) {
    const at::Tensor value = tapped.forward_until("part", {at::ones({2, 3})});
    EXPECT_THAT(value.sum().item<double>(), ::testing::AnyOf(6, 12));
  }
  const Watch watch =
      tapped.observe("part", [](const at::Tensor&) { throw std::out_of_range("a handler's own"); });
  EXPECT_THROW(tapped.forward({at::ones({2, 3})}), std::out_of_range);
}

TEST(WrapModule, AHandlerMayRunAnotherPass) {
  const auto forward = [](const at::Tensor& x) { return tap("b", tap("a", x * 2) * 3); };
  const Model model = wrap_module(forward, at::ones({1, 2}));
  const TappedModel tapped = tap_model(model, {"a", "b"});
  const TappedModel other = tapped.clone();
  double seen = 0;
  const Watch inner = tapped.observe("a", [&](const at::Tensor&) {
    other.forward({at::full({1, 2}, 100.0)});
    forward(at::full({1, 2}, 100.0));
  });
  const Watch outer =
      tapped.observe("b", [&](const at::Tensor& value) { seen = value.max().item<double>(); });
  tapped.forward({at::ones({1, 2})});
  EXPECT_EQ(seen, 6);
}

TEST(WrapModule, HandsOnWhatTheModuleThrows) {
  bool failing = false;
  const Model model = wrap_module(
      [&](const at::Tensor& x) {
        if (failing) throw std::out_of_range("the module's own");
        return tap("a", x);
      },
      at::ones({1, 2}));
  failing = true;
  EXPECT_THROW(model.forward({at::ones({1, 2})}), std::out_of_range);
  EXPECT_THROW(tap_model(model, {"a"}).forward({at::ones({1, 2})}), std::out_of_range);
}

/// State that a pass in eval mode writes: a parameter, a buffer to which an example of zeros adds
/// nothing, a buffer that grows, and random numbers.
struct Writer : torch::nn::Module {
  Writer() {
    words = register_module("words",
                            torch::nn::Embedding(torch::nn::EmbeddingOptions(5, 3).max_norm(0.1)));
    sum = register_buffer("sum", torch::zeros({3}));
    grown = register_buffer("grown", torch::zeros({1}));
  }
  torch::Tensor forward(const torch::Tensor& x) {
    const torch::NoGradGuard no_grad;
    sum.add_(x.sum(0));
    grown.set_data(torch::zeros({grown.size(0) + 1}));
    return tap("h", x + words(torch::ones({1}, torch::kLong)) + torch::rand({1}));
  }
  torch::nn::Embedding words{nullptr};
  torch::Tensor sum, grown;
};

TEST(WrapModule, LeavesTheModuleAndRandomNumbersAsTheyWere) {
  torch::manual_seed(4);
  auto net = std::make_shared<Writer>();
  const at::Tensor weight = net->words->weight.detach().clone();
  torch::manual_seed(5);
  const at::Tensor next = torch::rand({2});
  torch::manual_seed(5);
  TapScope listening;
  listening.observe("h", [](const at::Tensor&) {});
  const Model model = wrap_module(net, torch::zeros({2, 3}));
  EXPECT_EQ(listening.fired("h"), 0);
  EXPECT_THAT(model.written(), ElementsAre("words.weight", "sum", "grown"));
  {
    const EvaluationScope scope(model);
    model.forward({torch::ones({4, 3})});
  }
  EXPECT_TRUE(at::equal(net->words->weight, weight));
  EXPECT_EQ(net->sum.abs().max().item<double>(), 0);
  EXPECT_EQ(net->grown.size(0), 1);
  EXPECT_TRUE(at::equal(torch::rand({2}), next));
}

}  // namespace

}  // namespace descramble::test
