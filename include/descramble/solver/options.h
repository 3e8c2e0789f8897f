#pragma once

#include <cstdint>
#include <string>

#include "descramble/config/binding.h"
#include "descramble/solver/solver.h"

namespace [[gnu::visibility("default")]] descramble {

// One struct for each solver: its fields with their defaults. `descramble kinds solver` prints the
// same fields; docs/solvers.md says which solver suits which objective.
//
//     auto best = descramble::minimise(objective, descramble::RiemannianLbfgs{.starts = 4});

/// The objective's closed form: the optimum itself, in a canonical gauge.
struct ClosedForm {
  static constexpr const char* kind = "exact";  ///< its name in configs
  /// It has no fields.
  static const Binding<ClosedForm>& binding();
};

/// L-BFGS on the rotation group in the frame of its Lie algebra, with a strong Wolfe line search.
struct RiemannianLbfgs {
  std::int64_t max_iterations = 500;  ///< iterations of one start
  /// Converged where ‖Ω‖ ≤ tolerance·‖G‖; Ω the gradient along the group, G the whole gradient.
  double tolerance = 1e-8;
  std::int64_t starts = 1;      ///< descents, each from a point of its own
  std::string first = "guess";  ///< "guess": the objective's own guess first; "haar": random alone
  std::int64_t history = 20;    ///< pairs of steps and gradients that are kept

  static constexpr const char* kind = "riemannian_lbfgs";  ///< its name in configs
  /// Its fields, as a config names them.
  static const Binding<RiemannianLbfgs>& binding();
};

/// Steepest descent on the rotation group with Barzilai-Borwein steps.
struct RiemannianGradientDescent {
  std::int64_t max_iterations = 1000;  ///< iterations of one start
  double tolerance = 1e-8;             ///< as RiemannianLbfgs::tolerance
  std::int64_t starts = 1;             ///< descents, each from a point of its own
  std::string first = "guess";         ///< "guess" or "haar", as for RiemannianLbfgs

  static constexpr const char* kind = "riemannian_gradient_descent";  ///< its name in configs
  /// Its fields, as a config names them.
  static const Binding<RiemannianGradientDescent>& binding();
};

/// L-BFGS over one Cayley chart, as published for descrambling.
struct StaticCayleyLbfgs {
  std::int64_t max_iterations = 400;  ///< iterations of one start
  double tolerance = 1e-8;            ///< as RiemannianLbfgs::tolerance
  std::int64_t starts = 1;            ///< descents, each from a point of its own
  std::string first = "guess";        ///< "guess" or "haar", as for RiemannianLbfgs
  std::int64_t history = 5;           ///< pairs of steps and gradients that are kept

  static constexpr const char* kind = "static_cayley_lbfgs";  ///< its name in configs
  /// Its fields, as a config names them.
  static const Binding<StaticCayleyLbfgs>& binding();
};

/// The generalised power method, for concave objectives.
struct GeneralizedPower {
  std::int64_t max_iterations = 2000;  ///< iterations of one start
  double tolerance = 1e-10;            ///< as RiemannianLbfgs::tolerance
  std::int64_t starts = 1;             ///< descents, each from a point of its own
  std::string first = "guess";         ///< "guess" or "haar", as for RiemannianLbfgs

  static constexpr const char* kind = "generalized_power";  ///< its name in configs
  /// Its fields, as a config names them.
  static const Binding<GeneralizedPower>& binding();
};

/// L-BFGS on ever sharper smooth approximations, for objectives with kinks.
struct Annealed {
  std::int64_t max_iterations = 100;  ///< iterations of one stage of one start
  double tolerance = 1e-5;            ///< as RiemannianLbfgs::tolerance
  std::int64_t starts = 6;            ///< descents, each from a point of its own
  std::string first = "guess";        ///< "guess" or "haar", as for RiemannianLbfgs
  std::int64_t history = 20;          ///< pairs of steps and gradients that are kept
  std::int64_t screen = 128;          ///< samples that the starts are compared on; 0: all
  /// A start is given up when its value exceeds the best one after the same stage (from the third
  /// on) by more than margin − 1, relative to the best one's size.
  double margin = 1.15;

  static constexpr const char* kind = "annealed";  ///< its name in configs
  /// Its fields, as a config names them.
  static const Binding<Annealed>& binding();
};

/// The options of one solver: the struct names its kind and binds its fields.
template <typename Options>
concept OptionsOfASolver = requires(const Options& options) {
  {Options::binding().values(options)};
  {std::string(Options::kind)};
};

/// The same from settings whose "kind" names a solver.
Solution minimise_as(const Objective& objective, const Settings& solver, const SolverRun& run);

/// {"kind": …} and the options.
template <OptionsOfASolver Options>
Settings solver_settings(const Options& options) {
  SettingValues values = Options::binding().values(options);
  values.emplace_back("kind", std::string(Options::kind));
  return settings_of(values);
}

/// Minimises over the orthogonal group with this solver.
/// @throws Error for an option out of its range, and what minimise throws
template <OptionsOfASolver Options>
Solution minimise(const Objective& objective, const Options& options, const SolverRun& run = {}) {
  return minimise_as(objective, solver_settings(options), run);
}

}  // namespace descramble
