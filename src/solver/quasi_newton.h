#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include "descramble/config/binding.h"
#include "solver/search.h"

namespace descramble {

/// A place on the group in the coordinates of a quasi-Newton method: for every chart they lie in
/// one linear space, the skew matrices.
struct Place {
  at::Tensor point{};        ///< P
  at::Tensor coordinates{};  ///< of a fixed chart; undefined where the chart moves along
  double value = 0;          ///< f
  double scaled = 0;      ///< f in units of the first gradient's largest entry, as all that follows
  at::Tensor slope{};     ///< the gradient in these coordinates, skew [d, d]
  at::Tensor along{};     ///< Ω, the gradient along the group
  at::Tensor gradient{};  ///< ∂f/∂P
};

/// The end of a step, and how f changes along the step.
struct Moved {
  Place place{};
  double slope = 0;  ///< dφ/dt at the end of the step
};

/// How coordinates become rotations.
class Space {
 public:
  virtual ~Space() = default;
  /// The divisor of f, so that squares of gradients stay within the range of float64.
  void set_unit(double unit) { unit_ = unit; }
  double unit() const { return unit_; }
  virtual Place place(Descent& descent, const at::Tensor& start) = 0;
  /// From `from` along `direction` (skew) by t.
  virtual Moved move(Descent& descent, const Place& from, const at::Tensor& direction,
                     double t) = 0;

 protected:
  /// f and its gradient along the group, in units.
  Place evaluated(Descent& descent, const at::Tensor& point) const;

 private:
  double unit_ = 1;
};

/// P(t) = cayley(t A) P, with the base point moving along. All tangent spaces are identified with
/// the Lie algebra by right translation, so that steps and gradients of different points compare
/// without any transport.
class GroupSpace final : public Space {
 public:
  Place place(Descent& descent, const at::Tensor& start) override;
  Moved move(Descent& descent, const Place& from, const at::Tensor& direction, double t) override;
};

/// P(S) = cayley(S) P₀ with P₀ fixed at the start: a plain linear space.
class StaticCayleySpace final : public Space {
 public:
  Place place(Descent& descent, const at::Tensor& start) override;
  Moved move(Descent& descent, const Place& from, const at::Tensor& direction, double t) override;

 private:
  Place at_coordinates(Descent& descent, const at::Tensor& skew, at::Tensor& factor) const;
  at::Tensor base_{};
};

/// Limited-memory BFGS over a space (Nocedal and Wright, algorithm 7.4, the two-loop recursion; a
/// pair is kept where its curvature is positive), with the line search `strong_wolfe`. `history` 0:
/// steepest descent with the step lengths of Barzilai and Borwein (IMA J. Numer. Anal. 8 (1988)
/// 141) as first trials. If a line search fails, the history is dropped and the steepest direction
/// is tried; if that fails too, the reason is "line_search".
std::string quasi_newton(Space& space, std::int64_t history, Descent& descent,
                         const at::Tensor& start);

/// `search` with that method, a new space for each descent.
template <class SpaceOfDescent>
Solution search_quasi_newton(const Objective& objective, const SearchOptions& options,
                             const SolverRun& run, std::int64_t history) {
  return search(objective, options, run, [history](Descent& descent, const at::Tensor& start) {
    SpaceOfDescent space;
    return quasi_newton(space, history, descent, start);
  });
}

/// Binds the options of a limited-memory solver: those of a search, and `history`.
template <typename Options>
Binding<Options> quasi_newton_binding(const std::string& iterations = "iterations of one start") {
  Binding<Options> binding = search_binding<Options>(iterations);
  binding.add(&Options::history, {.name = "history",
                                  .doc = "pairs of steps and gradient changes that are kept",
                                  .minimum = 1,
                                  .maximum = 1000});
  return binding;
}

}  // namespace descramble
