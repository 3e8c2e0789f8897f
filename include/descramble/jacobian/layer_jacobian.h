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

namespace [[gnu::visibility("default")]] descramble {

/// Blocks of the Jacobians of some samples. Without positions there is one block per sample, the
/// whole ∂h₂/∂h₁. With positions (channels of a convolution, tokens) there is a block
/// ∂h₂[:, p]/∂h₁[:, p′] for each sampled output position p and each input position p′ on which it
/// depends.
struct JacobianBlocks {
  at::Tensor blocks{};  ///< [K, o, h], in the model's dtype, in float32 at least
  at::Tensor sample{};  ///< [K], int64: sample of a block; undefined: K samples, one block each
};

/// A sample of a batch has numbers that are not finite.
class SampleError final : public Error {
 public:
  /// `sample` counts from 0 in the batch.
  SampleError(Complaint complaint, std::int64_t sample)
      : Error(std::move(complaint)), sample_(sample) {}
  std::int64_t sample() const {
    return sample_;
  }  ///< the number of the sample in its batch, from 0

 private:
  std::int64_t sample_;
};

/// J(x) = ∂h₂/∂h₁ between two taps of one network, batch by batch, exact.
///
/// Routes, chosen by the operations between the taps and by cost:
///  * masked_product: the graph shows that the path is one line of linear and piecewise linear
///    operations. J is a product of weights and masks, from the end to the beginning,
///    2·B·o·Σ h_l h_{l−1} flops;
///  * vjp: one vector–Jacobian product for each output, the graph of one forward pass retained;
///  * jvp: one Jacobian–vector product for each input (the derivative of a vector–Jacobian product
///    with respect to its vector), if there are fewer inputs.
class LayerJacobian {
 public:
  /// How Jacobians are computed.
  struct Options {
    std::optional<Axis> from_axis{};  ///< absent: the default of the tap's value
    std::optional<Axis> to_axis{};    ///< the same for the second tap
    std::int64_t positions = 8;       ///< sampled output positions, the same for all samples
    std::uint64_t seed = 0;  ///< the seed of the drawn positions, stream "jacobian/positions"
    bool alone = false;      ///< samples run one at a time, so they cannot be mixed
    std::string route{};     ///< empty: the best; or one of the names above
    /// Blocks to or from a position that does not count are left out. This has no effect for a tap
    /// with one position.
    RowSelection rows{};
    /// Shows the inputs of all data, batch by batch. Positions are drawn from those that count in
    /// any sample of these data. Absent: in any sample of the constructor's `inputs`.
    using Look = std::function<void(const std::vector<at::Tensor>& inputs)>;
    std::function<void(const Look&)> each_batch{};  ///< shows all data to a Look; see there
  };

  /// Runs `inputs` to learn shapes, compares a described path with the network itself, and checks
  /// that a sample's values are the same in another batch.
  /// @throws Error for taps in the wrong order or without a path between them; a path, or one of
  /// several branches, through an operation that has no derivative (the error names it), or that
  /// autograd cannot follow; a tap that fires more than once; values that are not floating-point; a
  /// network in which the values of one sample depend on the other samples of its batch, or on
  /// random numbers; a selection of rows that does not fit, or that leaves no output position
  LayerJacobian(const Model& model, const std::string& from, const std::string& to,
                const std::vector<at::Tensor>& inputs, const Options& options);
  /// The same with the default options.
  LayerJacobian(const Model& model, const std::string& from, const std::string& to,
                const std::vector<at::Tensor>& inputs)
      : LayerJacobian(model, from, to, inputs, Options{}) {}
  ~LayerJacobian();
  /// The other one is empty afterwards.
  LayerJacobian(LayerJacobian&&) noexcept;
  /// The other one is empty afterwards.
  LayerJacobian& operator=(LayerJacobian&&) noexcept;

  /// The Jacobians of a batch of samples.
  /// @throws SampleError for a Jacobian, or values between the taps, that are not finite
  JacobianBlocks operator()(const std::vector<at::Tensor>& inputs) const;

  /// The values at the first tap. With the route masked_product J(x) depends only on them.
  at::Tensor from_values(const std::vector<at::Tensor>& inputs) const;
  /// The Jacobians from the values at the first tap, without a pass of the network before it.
  /// @throws Error for another route than masked_product, or if only some rows count; SampleError
  /// as above
  JacobianBlocks of_values(const at::Tensor& from_values) const;

  /// The constant factor W of J(x) = diag(m(x)) W (`on_outputs`) or W diag(m(x)), m ≥ 0, if the
  /// path shows one.
  struct Masked {
    at::Tensor weight{};      ///< W, [o, h]
    bool on_outputs = false;  ///< J(x) = diag(m(x)) W
    bool on_inputs = false;   ///< neither: J is constant
  };
  /// The factor that all J(x) share; nothing if the path does not show one.
  const std::optional<Masked>& masked() const;
  /// m(x), [B, o] or [B, h]. @throws Error if masked() is nothing or constant
  at::Tensor masks(const at::Tensor& from_values) const;

  const TapSpace& from_space() const;  ///< h is its dimension
  const TapSpace& to_space() const;    ///< o is its dimension
  /// The route that is used: "masked_product", "vjp" or "jvp".
  const std::string& route() const;
  /// The reason why the route is not masked_product; empty: it is.
  const std::string& obstacle() const;
  /// Comparisons and indices between the taps, by operator. J takes their results as constant, like
  /// masks. J is the derivative between the jumps; at a jump there is no derivative.
  const std::vector<std::string>& constants() const;
  std::int64_t positions() const;  ///< number of sampled positions; 1 without positions
  /// The sampled output positions, in the order of the value's memory.
  const std::vector<std::int64_t>& sampled_positions() const;
  /// Block k belongs to sample k: the input side has no positions, and the output side has one.
  bool has_one_block() const;
  /// Whether some rows may not count.
  bool selects_rows() const;
  /// How many of the sampled output positions count, [samples], float64; 0 for a sample in which no
  /// input position counts.
  at::Tensor counted_positions(const std::vector<at::Tensor>& inputs) const;
  std::int64_t bytes_of_one() const;  ///< bytes of one sample's Jacobian
  /// Bytes of the work memory for one sample's Jacobian: copies of it, and cotangents at the widest
  /// value between the taps, before and after one operation.
  std::int64_t work_bytes_of_one() const;
  at::ScalarType dtype() const;  ///< the dtype of the blocks

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace descramble
