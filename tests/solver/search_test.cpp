// Iterative solvers against what is known: optima in closed form, saddles, functions without a gap.

#include <algorithm>
#include <cmath>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include "descramble/basis/chart.h"
#include "descramble/core/interrupt.h"
#include "descramble/objective/loss_objective.h"
#include "descramble/objective/maximum_diagonal.h"
#include "descramble/solver/choice.h"
#include "descramble/solver/kinds.h"
#include "descramble/solver/options.h"
#include "descramble/solver/solver.h"
#include "objective/support.h"

namespace descramble::test {
namespace {

using nlohmann::json;

/// Solvers that search from several starts, by what they need of an objective; nobody edits it for
/// a new one. Those for objectives with kinks alone are tested in objective/jacobian_l1_test.cpp.
std::vector<std::string> kinds_that(bool (*suits)(const SolverKind& kind)) {
  std::vector<std::string> names;
  for (const SolverKind& kind : solver_kinds()) {
    const std::vector<Field>& fields = kind.info.fields;
    const bool searches = std::any_of(fields.begin(), fields.end(),
                                      [](const Field& field) { return field.name == "starts"; });
    if (searches && suits(kind)) names.push_back(kind.info.name);
  }
  return names;
}

std::vector<std::string> iterative_kinds() {
  return kinds_that(
      [](const SolverKind& kind) { return kind.needs != &ObjectiveTraits::is_sharp; });
}

/// Those that serve any objective.
std::vector<std::string> general_kinds() {
  return kinds_that([](const SolverKind& kind) { return kind.needs == nullptr; });
}

bool needs_concave(const std::string& name) {
  for (const SolverKind& kind : solver_kinds()) {
    if (kind.info.name == name) return kind.needs == &ObjectiveTraits::is_concave;
  }
  return false;
}

bool serves(const std::string& kind, const Objective& objective) {
  return !needs_concave(kind) || objective.traits().is_concave;
}

class General : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(, General, ::testing::ValuesIn(general_kinds()),
                         [](const auto& one) { return one.param; });

class Iterative : public ::testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(, Iterative, ::testing::ValuesIn(iterative_kinds()),
                         [](const auto& one) { return one.param; });

// REFERENCE T3: m = 12, 10 Haar starts; Riemannian L-BFGS reaches the exact value from each of
// them, the others never get below it.
TEST_P(General, T3ReachesTheExactValue) {
  for (const Stencil stencil : all_stencils()) {
    const Smoothness objective(stencil, covariance(12));
    const double optimum = *objective.optimum();
    const Solution solution = minimise_with(
        objective, json{{"kind", GetParam()}, {"starts", 10}, {"first", "haar"}}, {.seed = 5});
    ASSERT_EQ(solution.outcomes.size(), 10u);
    double worst = 0;
    for (const StartOutcome& outcome : solution.outcomes) {
      const double excess = (outcome.value - optimum) / optimum;
      EXPECT_GE(excess, -1e-12) << stencil_name(stencil);
      worst = std::max(worst, excess);
    }
    if (GetParam() == "riemannian_lbfgs") {
      EXPECT_LE(worst, 1e-8) << stencil_name(stencil);
    }
    std::cout << GetParam() << ", " << stencil_name(stencil)
              << ": largest relative excess of 10 starts " << worst << '\n';
  }
}

/// A covariance that commutes with every circulant stencil: eigenvectors are the Fourier modes,
/// with the largest variance on the highest frequency, so that P = I is the worst critical point.
at::Tensor circulant_covariance(std::int64_t d) {
  const StencilSpectrum spectrum = stencil_spectrum(Stencil::fourier_second, d);
  const at::Tensor mu = at::arange(1, d + 1, at::kDouble);
  // Equal variance within each pair of modes, so that the matrix is circulant.
  at::Tensor paired = mu.clone();
  for (std::int64_t i = 1; i + 1 < d; i += 2) paired[i] = paired[i + 1];
  const at::Tensor c = (spectrum.vectors * paired).matmul(spectrum.vectors.t());
  return (c + c.t()) / 2;
}

// REFERENCE T21.
TEST_P(General, T21DoesNotStopAtACriticalPoint) {
  for (const std::int64_t d : {5, 8, 12}) {
    const Smoothness objective(Stencil::fourier_second, circulant_covariance(d));
    const at::Tensor identity = at::eye(d, at::kDouble);
    const at::Tensor slope = objective.gradient(identity);
    ASSERT_LT(difference(slope, slope.t()), 1e-10 * largest(slope)) << "P = I is critical";
    const double before = objective.value(identity);
    const Solution solution = minimise_with(objective, json{{"kind", GetParam()}});
    EXPECT_LT(solution.value, 0.9 * before) << d;
    EXPECT_GE(solution.value, *objective.optimum() * (1 - 1e-12));
    if (GetParam() == "riemannian_lbfgs") {
      EXPECT_LE(solution.value, *objective.optimum() * (1 + 1e-8)) << d;
    }
  }
}

/// Many local minima: Σ_ij sin(k P_ij) with a slope.
class Wavy final : public Objective {
 public:
  explicit Wavy(std::int64_t d, double k) : tilt_(haar(d, 5)), k_(k) {}
  std::int64_t dimension() const override { return tilt_.size(0); }
  double value(const at::Tensor& p) const override {
    return (at::sin(k_ * p) + tilt_ * p).sum().item<double>();
  }
  at::Tensor gradient(const at::Tensor& p) const override { return k_ * at::cos(k_ * p) + tilt_; }

 private:
  at::Tensor tilt_;
  double k_;
};

/// Remembers the least value that anybody asked for.
class Witness final : public Objective {
 public:
  explicit Witness(const Objective& inner) : inner_(inner) {}
  std::int64_t dimension() const override { return inner_.dimension(); }
  ObjectiveTraits traits() const override { return {.is_concave = inner_.traits().is_concave}; }
  double value(const at::Tensor& p) const override { return seen(inner_.value(p)); }
  at::Tensor gradient(const at::Tensor& p) const override { return inner_.gradient(p); }
  double least() const { return least_; }

 private:
  double seen(double value) const {
    least_ = std::min(least_, value);
    return value;
  }
  const Objective& inner_;
  mutable double least_ = INFINITY;
};

// REFERENCE T20, over functions with many minima.
TEST_P(Iterative, T20ReturnsTheBestPointItSaw) {
  int served = 0;
  for (const std::int64_t d : {2, 5, 9}) {
    const Wavy slow(d, 1);
    const Wavy fast(d, 20);
    const MaximumDiagonalNormSquare diagonal(haar(d, 3) * at::arange(1, d + 1, at::kDouble));
    for (const Objective* objective : std::vector<const Objective*>{&slow, &fast, &diagonal}) {
      if (!serves(GetParam(), *objective)) continue;
      for (const int budget : {1, 3, 40}) {
        ++served;
        const Witness witness(*objective);
        const Solution solution = minimise_with(
            witness, json{{"kind", GetParam()}, {"max_iterations", budget}, {"starts", 3}},
            {.seed = 9});
        EXPECT_EQ(solution.value, objective->value(solution.point));
        EXPECT_LE(solution.value, witness.least() + 1e-12 * (1 + std::abs(witness.least())));
        EXPECT_LT(distance_from_orthogonal(solution.point), 1e-12 * static_cast<double>(d));
        EXPECT_THAT((std::vector<std::string>{"converged", "max_iterations", "line_search"}),
                    ::testing::Contains(solution.reason));
        for (const StartOutcome& outcome : solution.outcomes) {
          EXPECT_LE(outcome.iterations, budget);
          EXPECT_EQ(outcome.trace.size(), static_cast<std::size_t>(outcome.iterations) + 1);
          if (outcome.reason == "max_iterations") {
            EXPECT_EQ(outcome.iterations, budget);
          }
        }
      }
    }
  }
  EXPECT_GT(served, 0);
}

TEST_P(Iterative, StopsAtAnInterruptWithWhatItHas) {
  const Smoothness smoothness(Stencil::fourier_second, covariance(20));
  const MaximumDiagonalNormSquare diagonal(random_stream(3, "test/weight").normal_tensor({20, 20}));
  const bool concave = needs_concave(GetParam());
  const Objective& objective = concave ? static_cast<const Objective&>(diagonal) : smoothness;
  clear_interrupt();
  SolverRun run{.seed = 1};
  double share = 0;
  run.on_iteration = [&share](const Iteration& at) {
    EXPECT_GE(at.share, share);
    share = at.share;
    if (at.start == 1 && at.iteration == 2) request_interrupt();
  };
  const Solution solution = minimise_with(objective,
                                          json{{"kind", GetParam()},
                                               {"starts", 4},
                                               {"first", "haar"},
                                               {"tolerance", 0},
                                               {"max_iterations", 50}},
                                          run);
  clear_interrupt();
  EXPECT_EQ(solution.reason, "interrupted");
  EXPECT_EQ(solution.starts, 2) << "the others were not begun";
  EXPECT_DOUBLE_EQ(share, (1 + 2 / 50.0) / 4);
  EXPECT_EQ(solution.value, objective.value(solution.point));
  EXPECT_LT(solution.value, objective.value(haar(20, 3)));
}

/// Asks for an interrupt each time, as values do that are computed anew.
class Recomputed final : public Objective {
 public:
  std::int64_t dimension() const override { return linear_.size(0); }
  ObjectiveTraits traits() const override { return {.is_concave = true}; }
  double value(const at::Tensor& p) const override {
    check_interrupt();
    return linear_.mul(p).sum().item<double>() - 0.1 * p.square().square().sum().item<double>();
  }
  at::Tensor gradient(const at::Tensor& p) const override { return linear_ - 0.4 * p.pow(3); }

 private:
  at::Tensor linear_ = haar(6, 2);
};

TEST_P(Iterative, AnInterruptDuringAnEvaluationKeepsTheBestPoint) {
  clear_interrupt();
  SolverRun run{.seed = 1};
  run.on_iteration = [](const Iteration& at) {
    if (at.iteration == 2) request_interrupt();
  };
  const Recomputed objective;
  const Solution solution = minimise_with(
      objective, json{{"kind", GetParam()}, {"first", "haar"}, {"tolerance", 0}}, run);
  clear_interrupt();
  EXPECT_EQ(solution.reason, "interrupted");
  EXPECT_LT(distance_from_orthogonal(solution.point), 1e-12);
  EXPECT_NEAR(solution.value, objective.value(solution.point), 1e-12);
}

// Near a saddle, with too few iterations to leave it: not converged.
TEST(RiemannianLbfgs, DoesNotCallASaddleConvergedForLackOfTime) {
  const std::int64_t d = 21;
  const StencilSpectrum spectrum = stencil_spectrum(Stencil::fourier_second, d);
  at::Tensor mu = at::arange(d, 0, -1, at::kDouble);
  for (std::int64_t i = 1; i + 1 < d; i += 2) mu[i] = mu[i + 1];
  const at::Tensor last = mu.slice(0, d - 2).clone();
  mu.slice(0, d - 2).copy_(mu.slice(0, d - 4, d - 2).clone());
  mu.slice(0, d - 4, d - 2).copy_(last);
  const at::Tensor c = (spectrum.vectors * mu).matmul(spectrum.vectors.t());
  const Smoothness objective(Stencil::fourier_second, (c + c.t()) / 2);
  const double saddle = objective.value(at::eye(d, at::kDouble));
  ASSERT_GT(saddle, *objective.optimum() * 1.001);
  for (std::uint64_t seed = 0; seed < 5; ++seed) {
    const Solution hasty =
        minimise(objective, {.max_iterations = 5, .kind = "riemannian_lbfgs", .seed = seed});
    EXPECT_EQ(hasty.reason, "max_iterations");
    const Solution patient = minimise(objective, {.kind = "riemannian_lbfgs", .seed = seed});
    EXPECT_LE(patient.value, *objective.optimum() * (1 + 1e-8));
  }
}

TEST(RiemannianLbfgs, DoesNotDependOnTheScaleOfTheObjective) {
  for (const double scale : {1e-200, 1e-160, 1.0, 1e200}) {
    const Smoothness objective(Stencil::forward_free, covariance(6) * scale);
    const Solution solution = minimise(objective, {.kind = "riemannian_lbfgs"});
    EXPECT_LE(solution.value, *objective.optimum() * (1 + 1e-8)) << scale;
  }
}

// A function that is not a number somewhere, or everywhere.
class Broken final : public Objective {
 public:
  enum class How { value, gradient, later, infinite_far, infinite };
  explicit Broken(How how) : how_(how), linear_(haar(6, 2)) {}
  std::string name() const override { return "tap 'fc1'"; }
  std::int64_t dimension() const override { return 6; }
  ObjectiveTraits traits() const override { return {.is_concave = true}; }
  double value(const at::Tensor& p) const override {
    ++calls_;
    if (how_ == How::value || (how_ == How::later && calls_ > 4)) return NAN;
    if (how_ == How::infinite) return INFINITY;
    const double value = linear_.mul(p).sum().item<double>();
    if (how_ == How::infinite_far && value < -2) return INFINITY;
    return value;
  }
  at::Tensor gradient(const at::Tensor& p) const override {
    return how_ == How::gradient ? at::full_like(p, NAN) : linear_;
  }

 private:
  How how_;
  at::Tensor linear_;
  mutable int calls_ = 0;
};

TEST_P(Iterative, SaysWhereAnObjectiveIsNoNumber) {
  const json solver = {{"kind", GetParam()}};
  EXPECT_THAT([&] { minimise_with(Broken(Broken::How::value), solver); },
              ThrowsError("not a number", "tap 'fc1', iteration 0", "nan"));
  EXPECT_THAT([&] { minimise_with(Broken(Broken::How::gradient), solver); },
              ThrowsError("gradient is not finite", "tap 'fc1', iteration 0"));
  EXPECT_THAT(
      [&] {
        minimise_with(Broken(Broken::How::later), json{{"kind", GetParam()}, {"starts", 3}});
      },
      ThrowsError("not a number", "tap 'fc1', iteration"));
  EXPECT_THAT([&] { minimise_with(Broken(Broken::How::infinite), solver); },
              ThrowsError("not finite anywhere"));
  const Solution solution = minimise_with(Broken(Broken::How::infinite_far), solver);
  EXPECT_TRUE(std::isfinite(solution.value));
  EXPECT_GE(solution.value, -2);
}

TEST(GeneralizedPower, RefusesWhatIsNotConcave) {
  EXPECT_THAT(
      [] {
        minimise_with(Smoothness(Stencil::fourier_second, covariance(4)),
                      json{{"kind", "generalized_power"}});
      },
      ThrowsError("does not fit", "a concave objective", "smoothness"));
}

TEST(Minimise, TakesOptionsOfAProgram) {
  const Smoothness objective(Stencil::forward_free, covariance(10));
  EXPECT_EQ(minimise(objective).solver, "exact");
  int calls = 0;
  const Solution solution =
      minimise(objective, {.max_iterations = 30,
                           .tolerance = 1e-6,
                           .starts = 2,
                           .history = 3,
                           .kind = "riemannian_lbfgs",
                           .seed = 4,
                           .start = haar(10, 1),
                           .on_iteration = [&](const Iteration&) { ++calls; }});
  EXPECT_EQ(solution.starts, 2);
  EXPECT_GT(calls, 2);
  EXPECT_NEAR(solution.outcomes[0].trace[0], objective.value(haar(10, 1)), 1e-10);
  EXPECT_THAT([&] { minimise(objective, {.history = 3, .kind = "exact"}); },
              ThrowsError("unknown key 'history'"));
  EXPECT_THAT([&] { minimise(objective, {.starts = 0, .kind = "riemannian_lbfgs"}); },
              ThrowsError("/solver/starts", ">= 1", "0"));
  EXPECT_THAT(
      [&] { minimise(objective, {.kind = "riemannian_lbfgs", .start = at::eye(9, at::kDouble)}); },
      ThrowsError("wrong size", "10 x 10", "9 x 9"));
  EXPECT_THAT(
      [&] {
        minimise(objective, {.kind = "riemannian_lbfgs", .start = 2 * at::eye(10, at::kDouble)});
      },
      ThrowsError("not a rotation"));
  at::Tensor mirror = at::eye(5, at::kDouble);
  mirror[4][4] = -1;
  const MaximumDiagonalSum proper(haar(5, 1), true);
  EXPECT_THAT([&] { minimise(proper, {.kind = "riemannian_lbfgs", .start = mirror}); },
              ThrowsError("a reflection", "+1"));
}

template <OptionsOfASolver Options>
void expect_same_as_config(const Objective& objective, const Options& options,
                           nlohmann::json config) {
  SCOPED_TRACE(Options::kind);
  config["kind"] = Options::kind;
  const SolverRun run{.seed = 3};
  const Solution typed = minimise(objective, options, run);
  const Solution written = minimise_with(objective, config, run);
  EXPECT_EQ(typed.solver, Options::kind);
  EXPECT_EQ(typed.starts, written.starts);
  EXPECT_EQ(typed.iterations, written.iterations);
  EXPECT_TRUE(at::equal(typed.point, written.point));
}

// The struct of each solver is its config: the same defaults, fields and limits.
TEST(Minimise, TakesTheOptionsOfEachSolver) {
  const Smoothness smooth(Stencil::forward_free, covariance(10));
  expect_same_as_config(smooth, ClosedForm{}, {});
  expect_same_as_config(smooth, RiemannianLbfgs{}, {});
  expect_same_as_config(smooth, RiemannianLbfgs{.starts = 2, .first = "haar", .history = 3},
                        {{"starts", 2}, {"first", "haar"}, {"history", 3}});
  expect_same_as_config(smooth, RiemannianGradientDescent{.max_iterations = 7, .tolerance = 1e-3},
                        {{"max_iterations", 7}, {"tolerance", 1e-3}});
  expect_same_as_config(smooth, StaticCayleyLbfgs{.max_iterations = 9}, {{"max_iterations", 9}});
  const MaximumDiagonalNormSquare concave(haar(6, 2));
  expect_same_as_config(concave, GeneralizedPower{.starts = 3}, {{"starts", 3}});
  EXPECT_THAT([&] { minimise(smooth, RiemannianLbfgs{.starts = 0}); },
              ThrowsError("/solver/starts", ">= 1", "0"));
  EXPECT_THAT([&] { minimise(smooth, Annealed{}); }, ThrowsError("does not fit", "smoothed"));
  EXPECT_EQ(solver(GeneralizedPower{.starts = 3}).solve(concave, {}).starts, 3);
}

TEST(Minimise, NamesTheIterationOfALossThatFails) {
  int calls = 0;
  const LossObjective objective(
      TapValues("fc1", random_stream(1, "test/values").normal_tensor({9, 4}), Axis::features),
      [&](const at::Tensor& h) { return ++calls > 6 ? h : h.abs().mean(); });
  EXPECT_THAT([&] { minimise(objective); },
              ThrowsError("returns no scalar", "tap 'fc1', iteration", "9x4"));
}

/// Matrices of several sorts: Gaussian, with a steep spectrum, sparse, of deficient rank, oblong.
at::Tensor sorted_draw(std::uint64_t i, std::int64_t largest) {
  RandomStream random = random_stream(51, "test/norm_square", i);
  const std::int64_t d = 5 + random.below(largest - 4);
  const at::Tensor gaussian = random.normal_tensor({d, d});
  switch (i % 5) {
    case 0:
      return gaussian;
    case 1:
      return (haar(d, i) * at::pow(0.7, at::arange(d, at::kDouble))).matmul(haar(d, i + 1000));
    case 2:
      return gaussian * random.uniform_tensor({d, d}, 0, 1).lt(0.2);
    case 3:
      return gaussian.slice(1, 0, d / 2).matmul(random.normal_tensor({d / 2, d}));
    default:
      return random.normal_tensor({d, d / 2 + random.below(d)});
  }
}

/// Never worse than `starts` random starts of a general solver; the bound holds for both.
void compare_with_general_solver(std::uint64_t matrices, std::int64_t largest, int starts) {
  int bounded = 0;
  int closed = 0;
  double worst = -INFINITY;
  for (std::uint64_t i = 0; i < matrices; ++i) {
    const MaximumDiagonalNormSquare objective(sorted_draw(i, largest));
    const Solution power = minimise(objective);
    EXPECT_EQ(power.solver, "generalized_power");
    const Solution general = minimise_with(objective,
                                           json{{"kind", "riemannian_lbfgs"},
                                                {"starts", starts},
                                                {"first", "haar"},
                                                {"tolerance", 1e-6},
                                                {"max_iterations", 150}},
                                           {.seed = i});
    const double scale = std::abs(general.value);
    EXPECT_LE(power.value, general.value + 1e-8 * scale) << "matrix " << i;
    worst = std::max(worst, (power.value - general.value) / scale);
    const std::optional<double> bound = objective.lower_bound(power.point);
    if (!bound) continue;
    ++bounded;
    EXPECT_GE(power.value, *bound - 1e-10 * scale) << "matrix " << i;
    EXPECT_GE(general.value, *bound - 1e-10 * scale) << "matrix " << i;
    closed += power.value - *bound <= 1e-6 * scale ? 1 : 0;
  }
  std::cout << matrices << " matrices: a bound for " << bounded << ", closed to 1e-6 for " << closed
            << "; worst against the general solver " << worst << " (negative: better)\n";
  EXPECT_GT(closed, 0);
}

TEST(MaximumDiagonalNormSquare, IsSolvedAsWellAsByAGeneralSolver) {
  compare_with_general_solver(20, 20, 5);
}

TEST(LongMaximumDiagonalNormSquare, IsSolvedAsWellAsByAGeneralSolver) {
  compare_with_general_solver(200, 60, 50);
}

}  // namespace
}  // namespace descramble::test
