#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/taps/axis.h"
#include "descramble/taps/split.h"

namespace [[gnu::visibility("default")]] descramble {

/// The directions of a basis and the order in which they are ablated.
struct AblationPath {
  at::Tensor directions{};            ///< [d, k], orthonormal columns, float64
  std::vector<std::int64_t> order{};  ///< indices of the columns
};

/// Runs the network behind a tap with more and more directions of the tapped value ablated. The
/// first m columns q of a path give h − Σ q qᵀ(h − c) at every position of the value; c is the mean
/// for mean ablation and 0 for zero ablation.
///
/// From one count to the next the value is updated by a product of rank m′ − m, in float64; it is
/// never recomputed from the start. With nothing ablated the value is the untouched value, with
/// everything ablated it is c. These two cases run once for all paths.
class Ablation {
 public:
  /// `target`: c [d]. @throws Error for a path of another d
  Ablation(Axis axis, at::Tensor target, std::vector<AblationPath> paths);

  /// Called with the index of the path, the count, and the logits, which later runs may overwrite.
  using Visit = std::function<void(std::size_t path, std::int64_t ablated, const at::Tensor&)>;

  /// Runs every path at each of `counts` (ascending, 0 to d). A path of k < d directions runs up to
  /// k. `counted` (bool, one for each row of the value; undefined: all) says which rows are
  /// ablated. The other rows do not change.
  /// @throws Error for a value of another d
  void run(const SplitModel& split, const Cut& cut, const std::vector<std::int64_t>& counts,
           const Visit& visit, const at::Tensor& counted = {}) const;

  /// Returns the value that replaces the value of a tap.
  using Replace = std::function<at::Tensor(const at::Tensor& value)>;
  /// The same for a program that cannot be cut behind the tap: `run` gives the logits of the whole
  /// network with `replace` at the tap. A network that takes derivatives itself takes them through
  /// the ablated value.
  void run_whole(const std::function<at::Tensor(const Replace& replace)>& run,
                 const std::vector<std::int64_t>& counts, const Visit& visit,
                 const at::Tensor& counted = {}) const;

  /// d, the size of the target.
  std::int64_t dimension() const { return target_.size(0); }

 private:
  void require_dimension(const at::Tensor& value) const;

  Axis axis_;
  at::Tensor target_;
  std::vector<AblationPath> paths_;
};

}  // namespace descramble
