#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/model/model.h"

namespace [[gnu::visibility("default")]] descramble {

/// Places begin … end − 1 along one dimension of the input.
struct IndexRange {
  std::int64_t begin = 0;  ///< the first place
  std::int64_t end = 0;    ///< one behind the last place

  /// The number of places.
  std::int64_t length() const { return end - begin; }
  /// Whether both hold the same places.
  bool operator==(const IndexRange&) const = default;
};

/// The part of the input that each position of a tap sees. It is a box: one interval for each
/// dimension of positions (rows and columns of an image, places of a signal), clipped at the
/// border.
struct ReceptiveField {
  std::vector<std::int64_t> input{};  ///< positions of the input, [H, W] or [L]
  /// Positions of the tap; empty: it has none and sees everything.
  std::vector<std::int64_t> positions{};
  /// For each dimension and each place of the tap along it.
  std::vector<std::vector<IndexRange>> intervals{};
  /// Why it is not known, and the whole input is given for every position; empty: it is known.
  std::string obstacle{};

  /// The box of a position, numbered row by row.
  std::vector<IndexRange> box(std::int64_t position) const;
  /// The lengths of the largest box.
  std::vector<std::int64_t> extent() const;
};

/// How receptive fields are measured.
struct ReceptiveFieldOptions {
  std::int64_t batch = 8;        ///< samples in a pass
  bool only_that_batch = false;  ///< the model takes no other number of samples
  std::uint64_t seed = 0;        ///< the seed of the values that the check puts outside of a field
};

/// Receptive fields of taps with values [N, C, …], measured on the network itself: a row of the
/// first input becomes NaN, and the positions of a tap that become NaN see that row. One pass for
/// each row and each column serves all taps; they run in float64, where NaN does not spread through
/// blocked kernels. Operations that swallow NaN (`where`, comparisons) are found by a check: new
/// values outside of a field must leave the value at its position the same, bit for bit.
/// `inputs`: those of one sample, [1, …]. A tap without positions of its own ([N, d]), or behind an
/// input of another number of dimensions, sees the whole input.
/// @throws Error for an unknown tap
std::vector<ReceptiveField> receptive_fields(const Model& model,
                                             const std::vector<at::Tensor>& inputs,
                                             const std::vector<std::string>& taps,
                                             const ReceptiveFieldOptions& options = {});

}  // namespace descramble
