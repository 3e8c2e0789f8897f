#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/core/error.h"
#include "descramble/model/model.h"
#include "descramble/taps/axis.h"
#include "descramble/taps/rows.h"
#include "descramble/taps/space.h"

namespace descramble {

/// Blocks of the Jacobians of some samples. Without positions there is one block a sample, the
/// whole ∂h₂/∂h₁; with them (channels of a convolution, tokens) a block ∂h₂[:, p]/∂h₁[:, p′] for
/// each sampled output position p and each input position p′ that it depends on.
struct JacobianBlocks {
  at::Tensor blocks{};  ///< [K, o, h], in the model's dtype, in float32 at least
  at::Tensor sample{};  ///< [K], int64: which of the samples; undefined: K samples, one block each
};

/// Numbers that are not finite, of one sample of a batch.
class SampleError final : public Error {
 public:
  SampleError(Complaint complaint, std::int64_t sample)
      : Error(std::move(complaint)), sample_(sample) {}
  std::int64_t sample() const { return sample_; }  ///< from 0, in its batch

 private:
  std::int64_t sample_;
};

/// J(x) = ∂h₂/∂h₁ between two taps of one network, batch by batch, exact.
///
/// Routes, chosen by what lies between the taps and by cost:
///  * masked_product: the path is one line of linear and piecewise linear operations, as the graph
///    shows; weights times masks, from the end to the beginning, 2·B·o·Σ h_l h_{l−1} flops;
///  * vjp: one vector–Jacobian product for each output, the graph of one forward pass retained;
///  * jvp: one Jacobian–vector product for each input (the derivative of a vector–Jacobian product
///    with respect to its vector), where the inputs are fewer.
class LayerJacobian {
 public:
  struct Options {
    std::optional<Axis> from_axis{};  ///< absent: the default of the tap's value
    std::optional<Axis> to_axis{};
    std::int64_t positions = 8;  ///< sampled output positions, the same for all samples
    std::uint64_t seed = 0;      ///< of the draw of positions, stream "jacobian/positions"
    bool alone = false;          ///< samples run one at a time: none can be mixed with another
    std::string route{};         ///< empty: the best; or one of the names above
    /// Blocks to or from a position that does not count are left out. A tap with one position has
    /// none to choose from.
    RowSelection rows{};
    /// Shows the inputs of all data, batch by batch: positions are drawn from those that count
    /// anywhere in them. Absent: in the constructor's `inputs`.
    using Look = std::function<void(const std::vector<at::Tensor>& inputs)>;
    std::function<void(const Look&)> each_batch{};
  };

  /// Runs `inputs` to learn shapes, holds a described path against the network itself, and asks
  /// whether a sample's values are the same in another batch.
  /// @throws Error for taps in the wrong order or without a path between them; a path, or one of
  /// several branches, through something that has no derivative (which), or that autograd cannot
  /// follow; a tap that fires more than once; values that are not floating-point; a network whose
  /// values of one sample depend on the others of its batch, or on random numbers; a selection of
  /// rows that does not fit, or that leaves no output position
  LayerJacobian(const Model& model, const std::string& from, const std::string& to,
                const std::vector<at::Tensor>& inputs, const Options& options);
  LayerJacobian(const Model& model, const std::string& from, const std::string& to,
                const std::vector<at::Tensor>& inputs)
      : LayerJacobian(model, from, to, inputs, Options{}) {}
  ~LayerJacobian();
  LayerJacobian(LayerJacobian&&) noexcept;
  LayerJacobian& operator=(LayerJacobian&&) noexcept;

  /// @throws SampleError for a Jacobian that is not finite, or values on the way that are not
  JacobianBlocks operator()(const std::vector<at::Tensor>& inputs) const;

  /// The values at the first tap, on which alone J(x) depends where the route is masked_product.
  at::Tensor from_values(const std::vector<at::Tensor>& inputs) const;
  /// @throws Error where the route is another one, or only some rows count; SampleError as above
  JacobianBlocks of_values(const at::Tensor& from_values) const;

  /// J(x) = diag(m(x)) W (`on_outputs`) or W diag(m(x)), m ≥ 0: the constant factor, where the path
  /// shows one.
  struct Masked {
    at::Tensor weight{};  ///< W, [o, h]
    bool on_outputs = false;
    bool on_inputs = false;  ///< neither: J is constant
  };
  const std::optional<Masked>& masked() const;
  /// m(x), [B, o] or [B, h]. @throws Error where masked() is nothing or constant
  at::Tensor masks(const at::Tensor& from_values) const;

  const TapSpace& from_space() const;  ///< h is its dimension
  const TapSpace& to_space() const;    ///< o is its dimension
  const std::string& route() const;
  const std::string& obstacle() const;  ///< why it is no masked product; empty: it is one
  /// Comparisons and indices on the way, by operator: J takes what they return as constant, as
  /// masks are. It is the derivative where there is one; at a jump there is none.
  const std::vector<std::string>& constants() const;
  std::int64_t positions() const;  ///< sampled positions; 1 where there are none
  /// Which output positions those are, in the order of the value's memory.
  const std::vector<std::int64_t>& sampled_positions() const;
  /// Block k is that of sample k: there are no positions on the input side, and one on the other.
  bool has_one_block() const;
  bool selects_rows() const;
  /// How many of the sampled output positions count, [samples], float64; 0 where no input position
  /// does.
  at::Tensor counted_positions(const std::vector<at::Tensor>& inputs) const;
  std::int64_t bytes_of_one() const;  ///< of one sample's Jacobian
  /// Of what it is made from, beside it: copies of it, and cotangents at the widest value between
  /// the taps, in and out of one operation.
  std::int64_t work_bytes_of_one() const;
  at::ScalarType dtype() const;  ///< of the blocks

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace descramble
