#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <nlohmann/json_fwd.hpp>

#include "descramble/config/kind.h"
#include "descramble/config/settings.h"
#include "descramble/jacobian/jacobian_stack.h"
#include "descramble/stats/moments.h"
#include "descramble/taps/tap_values.h"

namespace descramble {

/// A minimiser known in closed form.
struct ExactPoint {
  at::Tensor rotation{};  ///< P, [d, d], float64
  std::int64_t degenerate =
      0;  ///< directions that the optimum does not distinguish; 0: all are determined
};

/// f and ∂f/∂P at one point.
struct Evaluation {
  double value = 0;
  at::Tensor gradient{};  ///< [d, d], as if the entries of P were free
  /// For a smoothed objective: the value of the original objective.
  std::optional<double> sharp{};
};

/// A starting point for a solver.
struct Guess {
  std::string name{};  ///< "identity", "mean Jacobian"
  at::Tensor rotation{};
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
  /// Value and gradient at once, because they may share work. The value equals value() bit for bit.
  virtual Evaluation evaluate(const at::Tensor& rotation) const {
    return {value(rotation), gradient(rotation)};
  }

  /// The quantity of interest is −f, which is maximised; results then show −f.
  virtual bool is_maximised() const { return false; }
  /// f is concave in P (as a function on all d×d matrices); solver `generalized_power` needs this.
  virtual bool is_concave() const { return false; }
  /// P must have determinant +1.
  virtual bool is_proper() const { return false; }

  /// The smallest value over the group, if it is known.
  virtual std::optional<double> optimum() const { return std::nullopt; }
  /// Whether solve_exactly returns a point.
  virtual bool has_closed_form() const { return false; }
  /// A point that attains the optimum.
  virtual std::optional<ExactPoint> solve_exactly() const { return std::nullopt; }
  /// A lower bound of f over all rotations, as it can be proven at the point `found`.
  virtual std::optional<double> lower_bound(const at::Tensor& /*found*/) const { return optimum(); }
  /// Good starting points for iterative solvers, best first; empty: no point is known to be good.
  virtual std::vector<Guess> guesses() const { return {}; }

  /// Sizes of the diagonal blocks of the point. Each block is a rotation. One block by default.
  virtual std::vector<std::int64_t> blocks() const { return {dimension()}; }
  /// f has kinks. The gradient at a kink says little about f near it.
  virtual bool is_sharp() const { return false; }
  /// A differentiable approximation of f, closer for smaller ε (1: as wide as a typical entry);
  /// nothing if there is none. Its evaluations hold the value of f beside their own value.
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

/// @throws Error naming the objective when `rotation` is not [d, d]
void require_rotation_size(const at::Tensor& rotation, const Objective& objective);

/// The data of a layer from which an objective can be made.
struct LayerData {
  std::string tap{};
  Moments moments{};
  at::Tensor weight{};  ///< of the tap's layer: [d, fan], row i feeds quantity i
  std::optional<TapValues> values{};
  std::optional<JacobianChain> jacobians{};  ///< from tap to tap
};

/// Which of these data an objective needs.
enum class LayerNeeds { moments, weight, values, jacobians };

/// Properties that decide which solvers can minimise an objective. Its functions of the same names
/// return them.
struct ObjectiveTraits {
  bool has_closed_form = false;
  bool is_sharp = false;
  bool is_concave = false;
};

/// A kind of objective.
struct ObjectiveKind {
  KindInfo info{};
  /// The traits of its objectives, known before one is made; absent: known only after it is made.
  ObjectiveTraits (*traits)(const Settings& settings) = nullptr;
  LayerNeeds (*needs)(const Settings& settings) = nullptr;
  std::unique_ptr<Objective> (*make)(const Settings& settings, const LayerData& layer) = nullptr;
};

/// Every kind in src/objective/builtin.def.
const std::vector<ObjectiveKind>& objective_kinds();
const KindFamily& objective_family();
LayerNeeds objective_needs(const nlohmann::json& objective);
/// The traits that are known before the objective is made; nothing if its kind does not give them.
std::optional<ObjectiveTraits> objective_traits(const ObjectiveKind& kind,
                                                const Settings& settings);
std::optional<ObjectiveTraits> objective_traits(const nlohmann::json& objective);
/// `objective` is {"kind": …, …}; fields that it leaves out have their defaults.
/// @throws Error, also if the layer lacks data that the objective needs
std::unique_ptr<Objective> make_objective(const nlohmann::json& objective, const LayerData& layer);
std::unique_ptr<Objective> make_objective(const nlohmann::json& objective, const Moments& moments);

}  // namespace descramble
