#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <nlohmann/json_fwd.hpp>

#include "descramble/core/kind.h"
#include "descramble/stats/moments.h"

namespace descramble {

/// A minimiser known in closed form.
struct ExactPoint {
  at::Tensor rotation{};  ///< P, [d, d], float64
  std::int64_t degenerate =
      0;  ///< directions that the optimum does not tell apart; 0: all are determined
};

/// A real function of an orthogonal P, to be minimised.
class Objective {
 public:
  virtual ~Objective() = default;

  virtual std::int64_t dimension() const = 0;
  /// f(P), float64. @throws Error for a P of the wrong size
  virtual double value(const at::Tensor& rotation) const = 0;
  /// ∂f/∂P, [d, d], as if the entries of P were free.
  virtual at::Tensor gradient(const at::Tensor& rotation) const = 0;

  /// The least value over O(d), where it is known.
  virtual std::optional<double> optimum() const { return std::nullopt; }
  /// A point that attains it.
  virtual std::optional<ExactPoint> solve_exactly() const { return std::nullopt; }
  /// What a reader of the result should know, one sentence each.
  virtual std::vector<std::string> warnings() const { return {}; }
};

/// A kind of objective that is a function of a layer's moments.
struct ObjectiveKind {
  KindInfo info{};
  std::unique_ptr<Objective> (*make)(const nlohmann::json& resolved,
                                     const Moments& moments) = nullptr;
};

/// Every kind in src/objective/builtin.def.
const std::vector<ObjectiveKind>& objective_kinds();
const KindFamily& objective_family();
/// `objective` is {"kind": …, …}; fields that it leaves out have their defaults. @throws Error
std::unique_ptr<Objective> make_objective(const nlohmann::json& objective, const Moments& moments);

}  // namespace descramble
