#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/jacobian/layer_jacobian.h"
#include "descramble/taps/rows.h"
#include "descramble/taps/space.h"

namespace descramble {

/// How the whole Jacobian of a sample is cut into blocks: which output positions are sampled, and
/// which positions count.
struct BlockLayout {
  TapSpace from{};
  TapSpace to{};
  std::int64_t from_positions = 1;
  std::int64_t to_positions = 1;
  RowSelection selection{};
  std::string between{};              ///< the taps, for errors
  at::ScalarType dtype = at::kFloat;  ///< of blocks
  std::vector<std::int64_t> sampled{};
  at::Tensor rows{};  ///< [positions·o]: places in a sample's flattened output

  std::int64_t positions() const { return static_cast<std::int64_t>(sampled.size()); }
  bool has_one_block() const { return positions() == 1 && from_positions == 1 && selection.all(); }

  /// Draws the sampled positions. `given` are inputs on the model's device.
  /// @throws Error for a selection of rows that does not fit, or that leaves no output position
  void sample(const LayerJacobian::Options& options, const std::vector<at::Tensor>& given);

  /// Which of the sampled output positions count, bool [B, positions].
  at::Tensor sampled_counts(const std::vector<at::Tensor>& inputs) const;
  /// Which input positions count, bool [B, from_positions].
  at::Tensor input_counts(const std::vector<at::Tensor>& inputs) const;

  /// [B, n, numel of h₁] into blocks. `inputs` tell which rows count. @throws SampleError
  JacobianBlocks cut(const at::Tensor& found, std::int64_t batch,
                     const std::vector<at::Tensor>& inputs) const;
};

/// The layout between two values [B, …] with their spaces; `rows` count. No position is sampled.
BlockLayout block_layout(TapSpace from, TapSpace to, const RowSelection& rows,
                         const std::string& between);

}  // namespace descramble
