// A backend is one class: a network of two points, in plain ATen, under all analyses.

#include <memory>
#include <string>
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/core/ivalue.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/relu.h>
#include <gmock/gmock.h>

#include "descramble/analysis/capture.h"
#include "descramble/analysis/completeness.h"
#include "descramble/analysis/descramble_chain.h"
#include "descramble/analysis/evaluate.h"
#include "descramble/analysis/export_checked.h"
#include "descramble/analysis/measure_jacobian.h"
#include "descramble/analysis/patch.h"
#include "descramble/core/error.h"
#include "descramble/core/random.h"
#include "descramble/data/tensor_set.h"
#include "descramble/model/network.h"
#include "descramble/taps/point.h"
#include "descramble/taps/tapped_model.h"

namespace descramble::test {
namespace {

using testing::HasSubstr;

/// f(x) = B relu(A x), with the points "hidden" (behind the rectifier) and "output".
class TwoPoints final : public Network {
 public:
  TwoPoints() {
    RandomStream random = random_stream(4, "two points");
    first_ = random.normal_tensor({6, 5});
    second_ = random.normal_tensor({3, 6});
  }

  c10::IValue run(const std::vector<c10::IValue>& inputs) const override {
    return tapped({}, {})->run(inputs);
  }
  ModelDescription description() const override { return {.class_name = "TwoPoints"}; }
  std::vector<std::pair<std::string, at::Tensor>> parameters() const override {
    return {{"first", first_}, {"second", second_}};
  }
  std::vector<TapPoint> points() const override {
    return {{.name = "hidden", .kind = "operator", .type = "relu"},
            {.name = "output", .kind = "output"}};
  }

  std::unique_ptr<TapProgram> tapped(const std::set<std::string>& names, Fire fire) const override {
    return std::make_unique<Program>(*this, names, std::move(fire));
  }

 private:
  class Program final : public TapProgram {
   public:
    Program(const TwoPoints& network, const std::set<std::string>& names, Fire fire)
        : first_(network.first_), second_(network.second_), fire_(std::move(fire)) {
      for (const TapPoint& point : network.points()) {
        if (names.contains(point.name)) points_.push_back(point);
      }
    }
    const std::vector<TapPoint>& points() const override { return points_; }
    c10::IValue run(const std::vector<c10::IValue>& inputs) const override {
      const at::Tensor hidden = at::relu(inputs.at(0).toTensor().matmul(first_.t()));
      return met("output", met("hidden", hidden).matmul(second_.t()));
    }

   private:
    at::Tensor met(const std::string& name, const at::Tensor& value) const {
      for (std::size_t i = 0; i < points_.size(); ++i) {
        if (points_[i].name == name) return fire_(i, value);
      }
      return value;
    }

    at::Tensor first_;
    at::Tensor second_;
    Fire fire_;
    std::vector<TapPoint> points_{};
  };

  at::Tensor first_;
  at::Tensor second_;
};

Model two_points() {
  return Model::of(std::make_shared<TwoPoints>(), "two points");
}

Subject subject() {
  const Model model = two_points();
  const at::Tensor inputs = random_stream(5, "inputs").normal_tensor({60, 5});
  return open_subject(model, tensor_set(inputs, at::argmax(model.forward({inputs}), 1), 16));
}

template <typename Work>
std::string refusal_of(const Work& work) {
  try {
    work();
  } catch (const Error& error) {
    return error.what();
  }
  return "taken";
}

TEST(Backend, RunsWithHandlersAtItsPoints) {
  const Model model = two_points();
  const TappedModel tapped = tap_model(model, {"hidden"});
  const at::Tensor x = random_stream(6, "x").normal_tensor({4, 5});
  std::vector<at::Tensor> seen;
  const Watch watch = tapped.capture("hidden", seen);
  EXPECT_TRUE(at::equal(tapped.forward({x}), model.forward({x})));
  ASSERT_EQ(seen.size(), 1U);
  const at::Tensor value = tapped.forward_until("hidden", {x});
  EXPECT_TRUE(at::equal(value, seen[0]));
  EXPECT_EQ(model.dtype(), at::kDouble);
  EXPECT_THAT(refusal_of([&] { tap_model(model, {"hiden"}); }), HasSubstr("'hidden'"));
}

TEST(Backend, ServesEveryAnalysis) {
  const Subject at_hand = subject();
  EXPECT_EQ(evaluate(at_hand).top1(), 1.0);
  const Completeness complete = measure_completeness(at_hand, {.taps = {"hidden"}});
  ASSERT_EQ(complete.taps.size(), 1U);
  EXPECT_THAT(complete.taps[0].obstacle, HasSubstr("does not"));  // it runs whole
  EXPECT_EQ(complete.taps[0].curves[0].scores.at(0).top1(), 1.0);
  const auto smooth = descramble_layers(at_hand, {.taps = {"hidden"}});
  EXPECT_LE(smooth.at(0).certificate.inserted, 1e-12);
  EXPECT_LT(smooth.at(0).value.after, smooth.at(0).value.before);
  const ChainDescrambling chain =
      descramble_chain(at_hand, {.taps = {"hidden", "output"}, .samples = 20});
  EXPECT_LT(chain.value.after, chain.value.before);
  const MeasuredJacobian jacobian =
      measure_jacobian(at_hand, {.from = "hidden", .to = "output", .samples = 10});
  EXPECT_EQ(jacobian.mean.size(0), 3);
  EXPECT_EQ(jacobian.obstacle, "a network without a graph");
  const Captured captured = capture(at_hand, {.taps = {"hidden"}});
  const Patched patched =
      patch(at_hand, {.tap = "hidden", .donor = {"captured", captured.taps.at(0).values}});
  EXPECT_TRUE(at::equal(patched.logits_before, patched.logits_after));
}

TEST(Backend, SaysInOneLineWhatItCannotDo) {
  const Model model = two_points();
  const TappedModel tapped = tap_model(model, {"hidden"});
  for (const std::string& line : {refusal_of([&] { tapped.split("hidden"); }),
                                  refusal_of([&] { export_model(model, {{.tap = "hidden"}}); }),
                                  refusal_of([&] { model.save("nowhere.pt"); }),
                                  refusal_of([&] { model.to_dtype(at::kFloat); }),
                                  refusal_of([&] { model.with_method("other"); })}) {
    EXPECT_THAT(line, HasSubstr("TwoPoints"));
    EXPECT_THAT(line, testing::Not(HasSubstr("\n")));
  }
}

}  // namespace
}  // namespace descramble::test
