// Walks every registered kind of objective; nobody edits it for a new one.

#include <memory>

#include <nlohmann/json.hpp>

#include "descramble/basis/orthogonal.h"
#include "descramble/objective/kinds.h"
#include "descramble/objective/objective.h"
#include "objective/support.h"

namespace descramble::test {
namespace {

using nlohmann::json;

std::vector<std::string> kind_names() {
  return objective_family().names();
}

class EveryObjective : public ::testing::TestWithParam<std::string> {
 protected:
  const KindInfo& info() const { return *objective_family().find(GetParam()); }

  /// The kind with its defaults, and with each choice and truth value of each field in turn.
  std::vector<json> variants() const {
    std::vector<json> result{{{"kind", GetParam()}}};
    for (const Field& field : info().fields) {
      for (const std::string& choice : field.choices)
        result.push_back({{"kind", GetParam()}, {field.name, choice}});
      if (field.type == FieldType::boolean) {
        for (const bool value : {true, false})
          result.push_back({{"kind", GetParam()}, {field.name, value}});
      }
    }
    return result;
  }
};

TEST_P(EveryObjective, SaysWhatItIs) {
  EXPECT_FALSE(info().summary.empty());
  EXPECT_FALSE(info().formula.empty());
  EXPECT_FALSE(info().source.empty());
  for (const Field& field : info().fields) EXPECT_FALSE(field.doc.empty()) << field.name;
  const json resolved = resolve_kind(objective_family(), {{"kind", GetParam()}}, "/objective");
  EXPECT_EQ(resolve_kind(objective_family(), resolved, "/objective"), resolved)
      << "defaults are valid values";
  EXPECT_THAT(
      [&] {
        resolve_kind(objective_family(), {{"kind", GetParam()}, {"nonsense", 1}}, "/objective");
      },
      ThrowsError("unknown key 'nonsense'", "/objective/nonsense"));
}

// REFERENCE T4.
TEST_P(EveryObjective, T4GradientIsThatOfTheValue) {
  for (const json& variant : variants()) {
    const std::unique_ptr<Objective> objective = make_objective(variant, layer_of_size(8));
    ASSERT_EQ(objective->dimension(), 8);
    const at::Tensor p = haar(8, 31);
    const at::Tensor gradient = objective->gradient(p);
    const at::Tensor differences = central_differences(*objective, p, 1e-5);
    EXPECT_LE(difference(gradient, differences), 1e-6 * largest(gradient)) << variant;
  }
}

TEST_P(EveryObjective, ClosedFormIsOrthogonalAndAttainsTheOptimum) {
  for (const std::int64_t d : {1, 2, 7, 12}) {
    for (const json& variant : variants()) {
      const std::unique_ptr<Objective> objective = make_objective(variant, layer_of_size(d));
      const std::optional<ExactPoint> exact = objective->solve_exactly();
      const std::optional<double> optimum = objective->optimum();
      if (!exact) continue;
      EXPECT_LT(distance_from_orthogonal(exact->rotation), 1e-12 * static_cast<double>(d))
          << variant;
      EXPECT_EQ(exact->rotation.dtype(), at::kDouble);
      EXPECT_GE(exact->degenerate, 0);
      EXPECT_LE(exact->degenerate, d);
      ASSERT_TRUE(optimum) << variant << ": a closed form knows its value";
      const double scale = std::abs(objective->value(at::eye(d, at::kDouble))) + std::abs(*optimum);
      EXPECT_NEAR(objective->value(exact->rotation), *optimum, 1e-10 * scale) << variant;
    }
  }
}

TEST_P(EveryObjective, NoRotationLiesBelowTheOptimum) {
  for (const json& variant : variants()) {
    const std::unique_ptr<Objective> objective = make_objective(variant, layer_of_size(9));
    const std::optional<double> optimum = objective->optimum();
    if (!optimum) continue;
    for (std::uint64_t i = 0; i < 20; ++i) {
      EXPECT_GE(objective->value(haar(9, 40 + i)), *optimum - 1e-10 * std::abs(*optimum))
          << variant;
    }
  }
}

TEST_P(EveryObjective, NoRotationLiesBelowTheBound) {
  for (const json& variant : variants()) {
    const std::unique_ptr<Objective> objective = make_objective(variant, layer_of_size(9));
    // Where a bound exists, it does so near good points: the guesses, and a few steps from there.
    std::vector<at::Tensor> points{haar(9, 40)};
    for (const Guess& guess : objective->guesses()) {
      at::Tensor point = guess.rotation;
      for (int step = 0; step < 20; ++step)
        point = canonical_polar(-objective->gradient(point)).rotation;
      points.push_back(point);
      EXPECT_TRUE(objective->lower_bound(point)) << variant;
    }
    for (const at::Tensor& point : points) {
      const std::optional<double> bound = objective->lower_bound(point);
      if (!bound) continue;
      EXPECT_GE(objective->value(point), *bound - 1e-10 * std::abs(*bound)) << variant;
      for (std::uint64_t j = 0; j < 20; ++j) {
        EXPECT_GE(objective->value(haar(9, 80 + j)), *bound - 1e-10 * std::abs(*bound)) << variant;
      }
    }
  }
}

TEST_P(EveryObjective, IsConcaveWhereItSaysSo) {
  for (const json& variant : variants()) {
    const std::unique_ptr<Objective> objective = make_objective(variant, layer_of_size(6));
    if (!objective->traits().is_concave) continue;
    for (std::uint64_t i = 0; i < 10; ++i) {
      const at::Tensor a = haar(6, i);
      const at::Tensor b = haar(6, 20 + i);
      const double chord = (objective->value(a) + objective->value(b)) / 2;
      EXPECT_GE(objective->value((a + b) / 2), chord - 1e-10 * std::abs(chord)) << variant;
    }
  }
}

TEST_P(EveryObjective, HasTheTraitsThatItsKindTells) {
  for (const json& variant : variants()) {
    const std::optional<ObjectiveTraits> traits = objective_traits(variant);
    if (!traits) continue;
    const std::unique_ptr<Objective> objective = make_objective(variant, layer_of_size(6));
    EXPECT_EQ(traits->has_closed_form, objective->traits().has_closed_form) << variant;
    EXPECT_EQ(traits->is_sharp, objective->traits().is_sharp) << variant;
    EXPECT_EQ(traits->is_concave, objective->traits().is_concave) << variant;
  }
}

TEST(ObjectiveKinds, NeedNotTellTraitsBeforeThereIsAnObjective) {
  ObjectiveKind kind{.info = {.name = "own"}};
  const Settings settings(json::object());
  EXPECT_FALSE(objective_traits(kind, settings).has_value());
  kind.traits = [](const Settings&) { return ObjectiveTraits{.is_concave = true}; };
  ASSERT_TRUE(objective_traits(kind, settings).has_value());
  EXPECT_TRUE(objective_traits(kind, settings)->is_concave);
}

TEST_P(EveryObjective, GuessesAreRotations) {
  for (const std::int64_t d : {1, 2, 7}) {
    const std::unique_ptr<Objective> objective =
        make_objective({{"kind", GetParam()}}, layer_of_size(d));
    for (const Guess& guess : objective->guesses()) {
      EXPECT_LT(distance_from_orthogonal(guess.rotation), 1e-12 * static_cast<double>(d));
      EXPECT_FALSE(guess.name.empty());
    }
    EXPECT_EQ(objective->traits().has_closed_form, objective->solve_exactly().has_value());
    EXPECT_FALSE(objective->name().empty());
    const Evaluation both = objective->evaluate(haar(d, 1));
    EXPECT_EQ(both.value, objective->value(haar(d, 1))) << "bit for bit";
    EXPECT_TRUE(at::equal(both.gradient, objective->gradient(haar(d, 1))));
  }
}

TEST_P(EveryObjective, ValueRepeatsAndLeavesItsArgumentAlone) {
  const std::unique_ptr<Objective> objective =
      make_objective({{"kind", GetParam()}}, layer_of_size(6));
  const at::Tensor p = haar(6, 50);
  const at::Tensor copy = p.clone();
  const double value = objective->value(p);
  (void)objective->gradient(p);
  EXPECT_EQ(objective->value(p), value);
  EXPECT_TRUE(at::equal(p, copy));
}

TEST_P(EveryObjective, RefusesAnotherSize) {
  const std::unique_ptr<Objective> objective =
      make_objective({{"kind", GetParam()}}, layer_of_size(6));
  EXPECT_THROW((void)objective->value(at::eye(5, at::kDouble)), Error);
  EXPECT_THROW((void)objective->gradient(at::eye(7, at::kDouble)), Error);
  EXPECT_THAT(
      [&] {
        make_objective({{"kind", GetParam()}}, LayerData{.tap = "here"});
      },
      ThrowsError("cannot be made", "tap 'here'"));
}

INSTANTIATE_TEST_SUITE_P(, EveryObjective, ::testing::ValuesIn(kind_names()),
                         [](const auto& one) { return one.param; });

TEST(ObjectiveFamily, RefusesTheUnknown) {
  EXPECT_FALSE(kind_names().empty());
  EXPECT_THAT(
      [] {
        make_objective({{"kind", "nonsense"}}, Moments());
      },
      ThrowsError("unknown kind", "/objective/kind", quoted_list(kind_names()), "nonsense"));
  EXPECT_THAT([] { make_objective(json::object(), Moments()); }, ThrowsError("missing key 'kind'"));
}

}  // namespace
}  // namespace descramble::test
