#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/jacobian/jacobian_stack.h"
#include "descramble/stats/moments.h"
#include "descramble/taps/tap_values.h"

namespace descramble {

/// A minimiser known in closed form.
struct ExactPoint {
  at::Tensor rotation{};  ///< P, [d, d], float64
  std::int64_t degenerate =
      0;  ///< directions that the optimum does not tell apart; 0: all are determined
};

/// f and ∂f/∂P at one point.
struct Evaluation {
  double value = 0;
  at::Tensor gradient{};  ///< [d, d], as if the entries of P were free
  /// Of a smoothed objective: the value of the one that it stands for.
  std::optional<double> sharp{};
};

/// A place for a solver to begin.
struct Guess {
  std::string name{};  ///< "identity", "mean Jacobian"
  at::Tensor rotation{};
};

/// What a solver and a reader have to know of an objective. A kind may tell it before there is an
/// objective; the objective itself says the same.
struct ObjectiveTraits {
  /// The quantity of interest is −f, which is maximised; results then show −f.
  bool is_maximised = false;
  /// f is concave in P (as a function on all d×d matrices): what solver `generalized_power` needs.
  bool is_concave = false;
  bool is_proper = false;        ///< P must have determinant +1
  bool has_closed_form = false;  ///< solve_exactly returns a point
  bool is_sharp = false;  ///< f has kinks, where its gradient says little about its surroundings
};

/// A real function of an orthogonal P, to be minimised.
class Objective {
 public:
  virtual ~Objective() = default;

  /// For errors: "smoothness", "tap 'fc1'".
  virtual std::string name() const { return "objective"; }
  virtual std::int64_t dimension() const = 0;
  /// f(P), float64. @throws Error for a P of the wrong size
  virtual double value(const at::Tensor& rotation) const = 0;
  /// ∂f/∂P, [d, d], as if the entries of P were free.
  virtual at::Tensor gradient(const at::Tensor& rotation) const = 0;
  /// Both at once, where they share work; the value is that of value(), bit for bit.
  virtual Evaluation evaluate(const at::Tensor& rotation) const {
    return {value(rotation), gradient(rotation)};
  }

  /// What a solver and a reader have to know of f.
  virtual ObjectiveTraits traits() const { return {}; }
  /// The least value over the group, where it is known.
  virtual std::optional<double> optimum() const { return std::nullopt; }
  /// A point that attains the optimum.
  virtual std::optional<ExactPoint> solve_exactly() const { return std::nullopt; }
  /// A number that f nowhere falls below, as it can be proven at a point found.
  virtual std::optional<double> lower_bound(const at::Tensor& /*found*/) const { return optimum(); }
  /// Where iterative solvers do well to begin, best first; empty: nowhere in particular.
  virtual std::vector<Guess> guesses() const { return {}; }

  /// Sizes of the diagonal blocks that the point consists of: a rotation each. One by default.
  virtual std::vector<std::int64_t> blocks() const { return {dimension()}; }
  /// A differentiable stand-in, the closer the smaller ε (1: as wide as a typical entry); nothing
  /// where there is none. Its evaluations carry the value of f beside their own.
  virtual std::unique_ptr<Objective> smoothed(double /*epsilon*/) const { return nullptr; }
  /// Relative error of f from the precision that it is computed in: differences below that say
  /// nothing.
  virtual double rounding() const { return 1e-14; }
  /// Relative cost of one evaluation, for progress.
  virtual double cost() const { return 1; }
  /// The same over at least `samples` of its samples; nothing where it is no mean over samples, or
  /// has no more than those.
  virtual std::unique_ptr<Objective> on_fewer(std::int64_t /*samples*/) const { return nullptr; }
  /// What a reader of the result should know, one sentence each.
  virtual std::vector<std::string> warnings() const { return {}; }
};

/// @throws Error naming the objective when `rotation` is not [d, d]
void require_rotation_size(const at::Tensor& rotation, const Objective& objective);

/// What an objective may be a function of.
struct LayerData {
  std::string tap{};
  Moments moments{};
  at::Tensor weight{};  ///< of the tap's layer: [d, fan], row i feeds quantity i
  std::optional<TapValues> values{};
  std::optional<JacobianChain> jacobians{};  ///< from tap to tap
};

/// Which of them it needs.
enum class LayerNeeds { moments, weight, values, jacobians };

}  // namespace descramble
