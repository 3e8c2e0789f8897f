#pragma once

#include <memory>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/basis/chart.h"
#include "descramble/taps/axis.h"

namespace [[gnu::visibility("default")]] descramble {

/// M h along `axis`, M [d, d] in the value's dtype and on its device; differentiable in both.
/// @throws Error when d does not fit
at::Tensor turned(const at::Tensor& matrix, const at::Tensor& value, Axis axis);

/// While it lives, learnable pairs do not move the base point of their chart on this thread: a pass
/// that only looks leaves their parameters as they are.
class FixedCharts {
 public:
  /// From now on.
  FixedCharts();
  ~FixedCharts();
  FixedCharts(const FixedCharts&) = delete;
  FixedCharts& operator=(const FixedCharts&) = delete;
};

/// An orthogonal P and its inverse, inserted into a network as h → Pᵀ(P h). The network computes
/// the same function, and an analysis looks at P h. P is stored in float64.
///
/// A learnable pair has parameters for an optimiser of LibTorch, and stays orthogonal whatever the
/// optimiser does to them:
///
///     auto pair = RotationPair::learnable(256);
///     torch::optim::Adam optimizer(pair.parameters(), 1e-2);
///     auto watch = tapped.replace("fc1", [&](const at::Tensor& h) {
///       loss = roughness(pair.rotate(h, Axis::features));
///       return pair.round_trip(h, Axis::features);
///     });
///
/// Copies of a learnable pair share its parameters.
class RotationPair {
 public:
  /// A pair that does not learn; P is kept in float64 on the CPU.
  /// @throws Error when P is not square, not finite, or further from orthogonal than 1e-6·d
  explicit RotationPair(const at::Tensor& rotation);
  /// P = I, d × d, which does not learn.
  static RotationPair identity(std::int64_t d);
  /// Starts at `start`. `chart` says how the parameters change P, and which rotations they reach.
  static RotationPair learnable(const at::Tensor& start, Chart chart = Chart::cayley);
  /// Starts at P = I, d × d.
  static RotationPair learnable(std::int64_t d, Chart chart = Chart::cayley);

  /// d, the size of P.
  std::int64_t dimension() const { return rotation_.size(0); }
  /// P. For a learnable pair, P is a differentiable function of the parameters. The chart
  /// `cayley` first moves its base point to the current P and sets the parameters to zero. The
  /// momentum of an optimiser stays meaningful, because all tangent spaces share the frame of the
  /// Lie algebra. This chart suits optimisers that take one step for each gradient (SGD, Adam).
  /// LBFGS needs a fixed chart, because its line search goes back to remembered parameters. Weight
  /// decay has no effect with `cayley`, because the parameters are zero after each step.
  at::Tensor matrix() const;

  /// θ [d(d − 1)/2], float64, of a learnable pair; empty otherwise.
  std::vector<at::Tensor> parameters() const;

  /// What a checkpoint keeps of the pair: P₀ and θ, copies in float64; P alone of one that does not
  /// learn. `torch::save` and `torch::load` take the list. With the optimiser's own checkpoint a
  /// training goes on in the same bytes.
  std::vector<at::Tensor> state() const;
  /// Puts such a state back. The parameters stay the tensors that an optimiser has.
  /// @throws Error for a state of another size or kind, or one whose P₀ is no rotation
  void restore(const std::vector<at::Tensor>& state);

  /// ‖PᵀP − I‖_F in float64, for the stored P.
  double orthogonality() const;
  /// The same for P rounded to `dtype`, as in a model's buffer.
  double orthogonality(at::ScalarType dtype) const;

  /// P h along `axis`, in the value's dtype and on its device; differentiable.
  at::Tensor rotate(const at::Tensor& value, Axis axis) const;
  /// Pᵀ h.
  at::Tensor unrotate(const at::Tensor& value, Axis axis) const;
  /// Pᵀ(P h): what the insertion computes.
  at::Tensor round_trip(const at::Tensor& value, Axis axis) const;

 private:
  struct Learnable;
  at::Tensor rotation_;
  std::shared_ptr<Learnable> learnable_{};
};

}  // namespace descramble
