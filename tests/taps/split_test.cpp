// suffix(prefix(x)) is the model, wherever it can be cut.

#include <map>
#include <set>

#include <ATen/core/grad_mode.h>

#include "descramble/taps/tapped_model.h"
#include "model/fixtures.h"
#include "taps/names_with_inputs.h"

namespace descramble::test {
namespace {

class Splits : public ::testing::TestWithParam<std::string> {
 protected:
  const Fixture& subject() const { return fixture(GetParam()); }
};

/// Points that no cut can go through although they stand outside of `if` and `loop`: two live
/// values share memory that is written to behind the cut.
const std::map<std::string, std::set<std::string>> entangled = {
    {"forked", {"right.input"}},  // what runs in the fork is not looked into
    {"inplace_relu_functional", {"add", "add.input"}},
    // AliasDb cannot tell the elements of a list that grows from what is appended later.
    {"list_mutation", {"relu", "relu_1", "relu_2"}},
    {"mutated_view",
     {"mul", "mul.input", "relu", "relu.input", "slice", "slice.input", "slice_1",
      "slice_1.input"}},
    {"mutated_view_traced",
     {"mul", "mul.input", "relu", "relu.input", "slice", "slice.input", "slice_1",
      "slice_1.input"}},
    {"scales_input", {"div", "div.input", "view", "view.input"}},
    {"view_alias_cut",
     {"add", "add.input", "slice", "slice.input", "slice_1", "slice_1.input", "tanh",
      "tanh.input"}}};

/// Whether a point stands within the `with` block of the fixture that has one.
bool in_with_block(const std::string& fixture, const std::string& tap) {
  return fixture == "no_grad_block" && (tap.starts_with("fc1") || tap.starts_with("relu"));
}

TEST_P(Splits, AreTheModelBitForBitAnyNumberOfTimes) {
  const Fixture& what = subject();
  const Model untouched = what.load();
  const Model model = what.load();
  const at::NoGradGuard no_grad;
  const auto inputs = what.inputs();
  const c10::IValue expected = untouched.forward_values(copies(inputs));
  std::set<std::string> refused;
  const TappedModel all = tap_model(model, names_with_inputs(model));
  for (const TapPoint& point : all.points()) {
    SCOPED_TRACE(point.name);
    const TappedModel tapped = tap_model(model, {point.name});
    if (point.in_control_flow) {
      EXPECT_THAT([&] { tapped.split(point.name); },
                  ThrowsError("cannot be cut", point.name, "`if` and `loop`"));
      continue;
    }
    if (in_with_block(what.name, point.name)) {
      EXPECT_THAT([&] { tapped.split(point.name); },
                  ThrowsError("cannot be cut", point.name, "`with`"));
      continue;
    }
    try {
      const SplitModel split = tapped.split(point.name);
      const Cut cut = split.prefix_values(copies(inputs));
      const at::Tensor value = cut.value.clone();
      const auto live = copies(*cut.live);
      for (int run = 1; run <= 3; ++run) {
        EXPECT_TRUE(bit_equal(split.suffix_values(cut), expected)) << "run " << run;
        EXPECT_TRUE(bit_equal(cut.value, value)) << "the cut was changed by run " << run;
        for (std::size_t i = 0; i < live.size(); ++i) {
          EXPECT_TRUE(bit_equal((*cut.live)[i], live[i]))
              << "live value " << i << " was changed by run " << run;
        }
      }
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), ::testing::HasSubstr("share memory"));
      refused.insert(point.name);
    }
  }
  const auto known = entangled.find(what.name);
  EXPECT_THAT(refused, ::testing::ContainerEq(known == entangled.end() ? std::set<std::string>{}
                                                                       : known->second));
}
INSTANTIATE_TEST_SUITE_P(Fixtures, Splits, ::testing::ValuesIn(fixture_names([](const Fixture& f) {
                           return f.runs() && !f.flag("stateful") && !f.flag("derives");
                         })),
                         by_name);

}  // namespace
}  // namespace descramble::test
