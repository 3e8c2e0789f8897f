// Walks every registered kind of solver; nobody edits it for a new one.

#include <cmath>
#include <memory>

#include <nlohmann/json.hpp>

#include "descramble/objective/kinds.h"
#include "descramble/solver/kinds.h"
#include "descramble/solver/solver.h"
#include "objective/support.h"

namespace descramble::test {
namespace {

using nlohmann::json;

std::vector<std::string> solver_names() {
  return solver_family().names();
}

/// f(P) = tr(A P) has no closed form here: for the solvers that need none, and those that refuse.
class Linear final : public Objective {
 public:
  explicit Linear(std::int64_t d) : factor_(haar(d, 60)) {}
  std::int64_t dimension() const override { return factor_.size(0); }
  double value(const at::Tensor& rotation) const override {
    return factor_.matmul(rotation).trace().item<double>();
  }
  at::Tensor gradient(const at::Tensor&) const override { return factor_.t().contiguous(); }

 private:
  at::Tensor factor_;
};

std::vector<std::unique_ptr<Objective>> objectives() {
  std::vector<std::unique_ptr<Objective>> result;
  for (const std::int64_t d : {1, 2, 5, 12}) {
    for (const std::string& name : objective_family().names())
      result.push_back(make_objective({{"kind", name}}, layer_of_size(d)));
    result.push_back(std::make_unique<Linear>(d));
  }
  return result;
}

class EverySolver : public ::testing::TestWithParam<std::string> {
 protected:
  json solver() const { return {{"kind", GetParam()}}; }
};

TEST_P(EverySolver, SaysWhatItIs) {
  const KindInfo& info = *solver_family().find(GetParam());
  EXPECT_FALSE(info.summary.empty());
  for (const Field& field : info.fields) EXPECT_FALSE(field.doc.empty()) << field.name;
  const json resolved = resolve_kind(solver_family(), solver(), "/solver");
  EXPECT_EQ(resolve_kind(solver_family(), resolved, "/solver"), resolved)
      << "defaults are valid values";
}

// A solver serves an objective, or says why not; when it serves, what it returns is true (REFERENCE
// T20).
TEST_P(EverySolver, T20ReturnsWhatItSaysItDoes) {
  const std::vector<std::string> reasons{"exact", "converged", "max_iterations", "line_search",
                                         "interrupted"};
  int served = 0;
  for (const std::unique_ptr<Objective>& objective : objectives()) {
    Solution solution;
    try {
      solution = minimise_with(*objective, solver(), {.seed = 3});
    } catch (const Error& error) {
      EXPECT_FALSE(error.complaint().expected.empty()) << error.what();
      continue;
    }
    ++served;
    const auto d = static_cast<double>(objective->dimension());
    ASSERT_EQ(solution.point.sizes(),
              at::IntArrayRef({objective->dimension(), objective->dimension()}));
    EXPECT_EQ(solution.point.dtype(), at::kDouble);
    EXPECT_EQ(solution.value, objective->value(solution.point))
        << "value is f(point), to the last bit";
    EXPECT_LT(distance_from_orthogonal(solution.point), 1e-12 * d);
    EXPECT_THAT(reasons, ::testing::Contains(solution.reason));
    EXPECT_GE(solution.starts, 1);
    EXPECT_LE(solution.value, objective->value(at::eye(objective->dimension(), at::kDouble)) +
                                  1e-12 * std::abs(solution.value));
    if (const std::optional<double> optimum = objective->optimum()) {
      EXPECT_GE(solution.value, *optimum - 1e-10 * std::abs(*optimum));
      if (solution.reason == "exact") {
        EXPECT_NEAR(solution.value, *optimum, 1e-10 * std::abs(*optimum) + 1e-300);
      }
    }
    const Solution again = minimise_with(*objective, solver(), {.seed = 3});
    EXPECT_TRUE(at::equal(again.point, solution.point)) << "the same seed, the same point";
    EXPECT_EQ(again.value, solution.value);
  }
  EXPECT_GT(served, 0);
}

INSTANTIATE_TEST_SUITE_P(, EverySolver, ::testing::ValuesIn(solver_names()),
                         [](const auto& one) { return one.param; });

TEST(ExactSolver, AttainsTheOptimum) {
  const Smoothness objective(Stencil::forward_free, covariance(30, 1));
  const Solution solution = minimise_with(objective, {{"kind", "exact"}});
  EXPECT_EQ(solution.reason, "exact");
  EXPECT_EQ(solution.value, objective.value(solution.point));
  EXPECT_NEAR(solution.value, objective.optimum().value(), 1e-10 * solution.value);
  EXPECT_EQ(solution.iterations, 0);
  EXPECT_TRUE(solution.trace.empty());
  EXPECT_EQ(solution.degenerate, 0);
}

TEST(ExactSolver, SaysHowManyDirectionsAreOpen) {
  const Smoothness objective(Stencil::forward_free,
                             with_spectrum(at::tensor({3.0, 1.0, 1.0, 0.5}, at::kDouble), 1));
  EXPECT_EQ(minimise_with(objective, {{"kind", "exact"}}).degenerate, 2);
}

TEST(ExactSolver, RefusesAnObjectiveWithoutAClosedForm) {
  EXPECT_THAT(
      [] {
        minimise_with(Linear(4), {{"kind", "exact"}});
      },
      ThrowsError("does not fit", "a closed form", "exact"));
}

TEST(SolverFamily, RefusesTheUnknown) {
  EXPECT_THAT(
      [] {
        minimise_with(Linear(2), {{"kind", "nonsense"}});
      },
      ThrowsError("unknown kind", "/solver/kind", quoted_list(solver_names()), "nonsense"));
  EXPECT_THAT([] { minimise_with(Linear(2), json::object()); }, ThrowsError("missing key 'kind'"));
  EXPECT_THAT(
      [] {
        minimise_with(Linear(2), {{"kind", solver_names()[0]}, {"nonsense", 2}});
      },
      ThrowsError("/solver/nonsense"));
}

TEST(SolverFamily, FitsEveryObjectiveWhoseTraitsAreNotKnownYet) {
  for (const std::string& name : solver_names())
    EXPECT_NO_THROW(require_fit({{"kind", name}}, std::nullopt, "own")) << name;
  EXPECT_THAT(
      [] {
        require_fit({{"kind", "exact"}}, ObjectiveTraits{}, "own");
      },
      ThrowsError("does not fit", "solver 'exact'", "a closed form", "own"));
  EXPECT_NO_THROW(
      require_fit({{"kind", "exact"}}, ObjectiveTraits{.has_closed_form = true}, "own"));
  EXPECT_NO_THROW(require_fit(nullptr, ObjectiveTraits{}, "own"));
}

}  // namespace
}  // namespace descramble::test
