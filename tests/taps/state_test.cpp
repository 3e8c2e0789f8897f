// What forward writes is found, put back, carried in order, and kept out of exported models, over
// all fixtures.

#include <set>

#include <ATen/ops/eye.h>

#include "descramble/model/snapshot.h"
#include "descramble/taps/export.h"
#include "descramble/taps/tapped_model.h"
#include "model/fixtures.h"
#include "model/held.h"
#include "taps/names_with_inputs.h"
#include "torchscript/torchscript.h"
#include "torchscript/writes.h"

namespace descramble::test {
namespace {

using ::testing::Contains;
using ::testing::ElementsAreArray;

/// Paths whose values differ, bit for bit.
std::vector<std::string> differing(const std::map<std::string, c10::IValue>& left,
                                   const std::map<std::string, c10::IValue>& right) {
  std::vector<std::string> result;
  for (const auto& [path, value] : left) {
    const auto found = right.find(path);
    if (found == right.end()) continue;
    bool same = bit_equal(value, found->second);
    if (value.isInt()) same = same && value.toInt() == found->second.toInt();
    if (!same) result.push_back(path);
  }
  return result;
}

class State : public ::testing::TestWithParam<std::string> {
 protected:
  const Fixture& subject() const { return fixture(GetParam()); }
  Model loaded(StatePolicy policy) const { return subject().load().with_state(policy); }
};

TEST_P(State, NamesWhatForwardWrites) {
  const Model model = subject().load();
  const auto expected = subject().facts.value("writes", std::vector<std::string>());
  if (torchscript_of(model).writes().opaque) {
    for (const std::string& path : expected) EXPECT_THAT(model.written(), Contains(path));
  } else {
    EXPECT_THAT(model.written(), ElementsAreArray(expected));
  }
  // What a pass is seen to change is among the names.
  const auto before = held_by(subject().load());
  model.forward_values(subject().inputs());
  for (const std::string& path : differing(before, held_by(model)))
    EXPECT_THAT(model.written(), Contains(path));
  bool writes_input = false;
  for (const bool written : model.written_inputs()) writes_input = writes_input || written;
  if (torchscript_of(model).writes().opaque) return;
  EXPECT_EQ(writes_input, subject().flag("mutates_input"));
}

TEST_P(State, EachPassStartsFromTheArchive) {
  const c10::IValue expected = subject().load().forward_values(subject().inputs());
  const Model model = loaded(StatePolicy::reset);
  const auto inputs = subject().inputs();
  const TappedModel tapped = tap_model(model);
  for (int pass = 0; pass < 3; ++pass) {
    EXPECT_TRUE(bit_equal(model.forward_values(inputs), expected)) << pass;
    EXPECT_TRUE(bit_equal(tapped.forward_values(inputs), expected)) << pass;
  }
  for (std::size_t i = 0; i < inputs.size(); ++i)
    EXPECT_TRUE(bit_equal(inputs[i], subject().inputs()[i])) << i;
  model.restart();
  EXPECT_THAT(differing(held_by(subject().load()), held_by(model)), ::testing::IsEmpty());
}

TEST_P(State, IsCarriedInOrder) {
  const Model live = subject().load();
  const Model model = loaded(StatePolicy::carry);
  std::vector<c10::IValue> expected;
  for (std::uint64_t variant = 0; variant < 3; ++variant)
    expected.push_back(live.forward_values(subject().inputs(variant)));
  for (int round = 0; round < 2; ++round) {
    model.restart();
    for (std::uint64_t variant = 0; variant < 3; ++variant) {
      EXPECT_TRUE(bit_equal(model.forward_values(subject().inputs(variant)), expected[variant]))
          << variant;
    }
  }
}

TEST_P(State, ASuffixStartsFromWhereThePrefixLeftIt) {
  const Model model = loaded(StatePolicy::reset);
  const c10::IValue expected = subject().load().forward_values(subject().inputs());
  for (const TapPoint& point : list_taps(model)) {
    const TappedModel tapped = tap_model(model, {point.name});
    std::optional<SplitModel> split;
    try {
      split = tapped.split(point.name);
    } catch (const Error&) {
      continue;  // cannot be cut here; split_test says why
    }
    const Cut cut = split->prefix_values(subject().inputs());
    for (int run = 0; run < 2; ++run)
      EXPECT_TRUE(bit_equal(split->suffix_values(cut), expected))
          << point.name << " " << run << " "
          << relative_distance(split->suffix_values(cut), expected);
  }
}

TEST_P(State, ExportsHoldWhatTheArchiveHolds) {
  const Model model = loaded(StatePolicy::reset);
  model.forward_values(subject().inputs());
  const ExportedModel exported = export_model(model, {});
  EXPECT_THAT(differing(held_by(subject().load()), held_by(exported.model)), ::testing::IsEmpty());
}

INSTANTIATE_TEST_SUITE_P(Fixtures, State, ::testing::ValuesIn(fixture_names([](const Fixture& f) {
                           return f.runs() && !f.flag("random") && !f.flag("derives") &&
                                  f.facts.value("export", true);
                         })),
                         by_name);

TEST(StateOfModes, TrainingWritesStatisticsAndEvaluationDoesNot) {
  const Model model = fixture("batch_norm_train").load();
  EXPECT_THAT(model.written(), ::testing::IsEmpty());
  model.set_training(true);
  EXPECT_THAT(model.written(), ElementsAreArray({"norm.num_batches_tracked", "norm.running_mean",
                                                 "norm.running_var"}));
}

TEST(StateOfModes, AScopeLeavesNoTrace) {
  for (const char* name : {"recurrent_policy", "batch_norm_moving_traced", "buffer_mutation"}) {
    const Model model = fixture(name).load();
    {
      const StateScope scope(model);
      model.forward_values(fixture(name).inputs());
      EXPECT_THAT(differing(held_by(fixture(name).load()), held_by(model)),
                  ::testing::Not(::testing::IsEmpty()));
    }
    EXPECT_THAT(differing(held_by(fixture(name).load()), held_by(model)), ::testing::IsEmpty());
  }
}

}  // namespace
}  // namespace descramble::test
