#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/taps/axis.h"

namespace [[gnu::visibility("default")]] descramble {

/// Which rows of a tapped value count. A row is one position of one sample: a token, a pixel. Rows
/// of padding, and tokens that mark the beginning of a sequence, carry no information about the
/// data.
struct RowSelection {
  /// The index of the data's input that serves as mask: a row counts where it is not 0. Absent: all
  /// rows count.
  std::optional<std::size_t> mask{};
  std::string mask_name{};  ///< the name of that input, for errors
  /// Number of positions at the beginning of each sample that do not count, after the mask.
  std::int64_t skip = 0;

  /// Whether all rows count.
  bool all() const { return !mask && skip == 0; }
};

/// Whether each row of to_rows(value, axis) counts: bool [samples·positions], on the value's
/// device. `inputs` are those of the batch; the mask is one of them.
///
/// The mask has one entry for each position of each sample, or one for each sample. It may lack
/// dimensions that the value has, or have 1 there: [N, T] fits values [N, T, heads, d] and
/// [N, heads, T, d], as [N, 1, T] does. `skip` counts along the mask's own positions: each head of
/// the first token is skipped. Without a mask by position it counts along the value's, of which
/// there has to be one dimension.
/// @throws Error for a mask that fits neither, or in two ways; for a `skip` where a sample has one
/// row, or where several dimensions hold them
at::Tensor counted_rows(const RowSelection& selection, const at::Tensor& value, Axis axis,
                        const std::vector<at::Tensor>& inputs);

/// The rows of to_rows(value, axis) that count, [K, d]. @throws Error as above
at::Tensor to_rows(const at::Tensor& value, Axis axis, const RowSelection& selection,
                   const std::vector<at::Tensor>& inputs);

}  // namespace descramble
