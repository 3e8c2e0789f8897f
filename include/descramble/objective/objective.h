#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/jacobian/jacobian_stack.h"
#include "descramble/stats/moments.h"
#include "descramble/taps/tap_values.h"

namespace [[gnu::visibility("default")]] descramble {

/// A minimiser known in closed form.
struct ExactPoint {
  at::Tensor rotation{};  ///< P, [d, d], float64
  /// Directions that the optimum does not distinguish; 0: all are determined.
  std::int64_t degenerate = 0;
};

/// f and ∂f/∂P at one point.
struct Evaluation {
  double value = 0;       ///< f(P)
  at::Tensor gradient{};  ///< [d, d], as if the entries of P were free
  /// For a smoothed objective: the value of the original objective.
  std::optional<double> sharp{};
};

/// A starting point for a solver.
struct Guess {
  std::string name{};     ///< "identity", "mean Jacobian"
  at::Tensor rotation{};  ///< P, [d, d], orthogonal
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
  /// d: P is [d, d].
  virtual std::int64_t dimension() const = 0;
  /// f(P), float64. @throws Error for a P of the wrong size
  virtual double value(const at::Tensor& rotation) const = 0;
  /// ∂f/∂P, [d, d], as if the entries of P were free.
  virtual at::Tensor gradient(const at::Tensor& rotation) const = 0;
  /// Value and gradient at once, because they may share work. The value equals value() bit for bit.
  virtual Evaluation evaluate(const at::Tensor& rotation) const {
    return {value(rotation), gradient(rotation)};
  }

  /// What a solver and a reader have to know of f.
  virtual ObjectiveTraits traits() const { return {}; }
  /// The least value over the group, where it is known.
  virtual std::optional<double> optimum() const { return std::nullopt; }
  /// A point that attains the optimum.
  virtual std::optional<ExactPoint> solve_exactly() const { return std::nullopt; }
  /// A lower bound of f over all rotations, as it can be proven at the point `found`.
  virtual std::optional<double> lower_bound(const at::Tensor& /*found*/) const { return optimum(); }
  /// Good starting points for iterative solvers, best first; empty: no point is known to be good.
  virtual std::vector<Guess> guesses() const { return {}; }

  /// Sizes of the diagonal blocks of the point. Each block is a rotation. One block by default.
  virtual std::vector<std::int64_t> blocks() const { return {dimension()}; }
  /// A differentiable stand-in, the closer the smaller ε (1: as wide as a typical entry); nothing
  /// where there is none. Its evaluations carry the value of f beside their own.
  virtual std::unique_ptr<Objective> smoothed(double /*epsilon*/) const { return nullptr; }
  /// Relative error of f from the precision of its computation. Smaller differences have no
  /// meaning.
  virtual double rounding() const { return 1e-14; }
  /// Relative cost of one evaluation, for progress.
  virtual double cost() const { return 1; }
  /// The same objective over at least `samples` of its samples; nothing if it is not a mean over
  /// samples, or does not have more samples.
  virtual std::unique_ptr<Objective> on_fewer(std::int64_t /*samples*/) const { return nullptr; }
  /// Facts that a reader of the result should know, one sentence each.
  virtual std::vector<std::string> warnings() const { return {}; }
};

/// Checks the size of a point.
/// @throws Error naming the objective when `rotation` is not [d, d]
void require_rotation_size(const at::Tensor& rotation, const Objective& objective);

/// The data of a layer from which an objective can be made.
struct LayerData {
  std::string tap{};    ///< the name of the tap
  Moments moments{};    ///< moments of the values; empty if they are not needed
  at::Tensor weight{};  ///< the weight of the tap's layer, [d, fan]; row i feeds quantity i
  at::Tensor bias{};    ///< the bias of the tap's layer, [d]; undefined if it adds none
  std::optional<TapValues> values{};         ///< the values themselves, if they are needed
  std::optional<JacobianChain> jacobians{};  ///< the Jacobians from tap to tap, if they are needed
};

/// Which of these data an objective needs.
enum class LayerNeeds {
  moments,             ///< mean and covariance of the values
  moments_and_weight,  ///< moments and weight
  weight,              ///< the weight, and no data
  values,              ///< the values themselves
  jacobians            ///< Jacobians from tap to tap
};

}  // namespace descramble
