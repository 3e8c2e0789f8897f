#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/data/data_set.h"
#include "descramble/jacobian/layer_jacobian.h"

namespace [[gnu::visibility("default")]] descramble {

/// The Jacobians J(x) between two taps for some samples. They do not depend on any rotation. They
/// are computed once and kept if they fit under a ceiling. Otherwise they are computed again, some
/// samples at a time, each time that they are needed.
class JacobianStack {
 public:
  /// How Jacobians are computed and kept.
  struct Options {
    std::int64_t memory_mb = 4096;  ///< ceiling for what is kept, and for a chunk
    std::int64_t sharers = 1;       ///< stacks that have that ceiling together: each a part of it
    std::int64_t batch_size = 512;  ///< samples that run through the network at once, at most
    at::Tensor weights{};           ///< [N], float64, ≥ 0: of each sample; undefined: all 1
    /// Called with the samples that are done, for progress.
    std::function<void(std::int64_t)> on_samples{};
  };
  /// The side of the masks in a collapsed stack: the weights are the firing rates of this side.
  enum class Side {
    outputs,  ///< J(x) = diag(m(x)) W
    inputs    ///< J(x) = W diag(m(x))
  };

  /// Samples `indices` of `data`. `layer` is shared, because Jacobians may be computed again later.
  /// If the layer selects rows, samples without a sampled position that counts have weight zero.
  /// @throws Error for no samples, or none with a position that counts, weights that do not fit, a
  /// ceiling that is too small for one sample (the error gives the need), a Jacobian that is not
  /// finite (the error gives the sample; Jacobians that are not kept are checked at each use)
  static JacobianStack of(std::shared_ptr<const LayerJacobian> layer,
                          std::shared_ptr<const DataSet> data,
                          const std::vector<std::int64_t>& indices, const Options& options);

  /// For J(x) = diag(m(x)) W, or W diag(m(x)). A function that is a sum over outputs (or inputs)
  /// depends on the samples only through the mean of m, the firing rates: Σᵢ pᵢ φ(row i of W). So
  /// the stack has one block, with a weight for each output (or input), instead of N blocks.
  /// Nothing if the path does not show this structure.
  static std::optional<JacobianStack> collapsed(const LayerJacobian& layer, const DataSet& data,
                                                const std::vector<std::int64_t>& indices, Side side,
                                                const Options& options);

  /// Takes Jacobians that are already computed: [N, o, h].
  JacobianStack(std::string from, std::string to, const at::Tensor& jacobians);

  /// The blocks of some samples, and how much each counts.
  struct Part {
    at::Tensor blocks{};       ///< [K, o, h]
    at::Tensor weights{};      ///< float64, [K, 1, 1]; of a collapsed stack [1, o, 1] or [1, 1, h]
    at::Tensor sample{};       ///< [K], int64, from 0: sample of a block; undefined: one block each
    std::int64_t samples = 0;  ///< the number of samples that the blocks belong to
  };
  /// Visits the parts in the order of the samples. Without positions Σ weights over all parts is 1
  /// (collapsed: the firing rates). With positions it is the mean number of input positions that
  /// have a block.
  void for_each(const std::function<void(const Part& part)>& visit) const;

  /// The stack of the first `samples` only, with weights scaled to a sum of 1 again. If these
  /// samples have no weight, the stack of all samples.
  JacobianStack first(std::int64_t samples) const;

  /// The tap on the input side.
  const std::string& from() const { return from_; }
  /// The tap on the output side.
  const std::string& to() const { return to_; }
  std::int64_t inputs() const { return inputs_; }    ///< h
  std::int64_t outputs() const { return outputs_; }  ///< o
  /// The number of samples.
  std::int64_t samples() const { return samples_; }
  std::int64_t uncounted() const { return uncounted_; }  ///< samples without a row that counts
  /// Whether the Jacobians are kept; if not, each use computes them again.
  bool kept() const { return !std::holds_alternative<Streamed>(content_); }
  /// Whether one block stands for all samples.
  bool is_collapsed() const { return std::holds_alternative<Collapsed>(content_); }
  /// The weights of a collapsed stack are the firing rates of this side. Nothing: the stack is not
  /// collapsed, or the Jacobian is constant, which fits both sides.
  std::optional<Side> collapsed_side() const;
  /// The dtype of the blocks.
  at::ScalarType dtype() const { return dtype_; }

 private:
  /// Jacobians that are kept in memory.
  struct Kept {
    std::vector<Part> parts;
  };
  /// Jacobians that are computed again at each use, `chunk` samples at a time.
  struct Streamed {
    /// Samples begin … end − 1.
    std::function<Part(std::int64_t begin, std::int64_t end)> make{};
    std::int64_t chunk = 0;
  };
  /// One block instead of all blocks.
  struct Collapsed {
    Part part{};
    std::optional<Side> side{};  ///< the side of the rates in its weights; nothing: J is constant
  };

  explicit JacobianStack(const LayerJacobian& layer);  ///< without samples

  std::string from_{};
  std::string to_{};
  std::int64_t inputs_ = 0;
  std::int64_t outputs_ = 0;
  std::int64_t samples_ = 0;
  std::int64_t uncounted_ = 0;
  at::ScalarType dtype_ = at::kFloat;
  /// [N], float64: weights of the samples, with a sum of 1 over all samples.
  at::Tensor weights_{};
  double share_ = 1;  ///< sum of the weights of the samples in this stack
  std::variant<Kept, Streamed, Collapsed> content_{};
};

/// Jacobians from tap to tap along a chain: layer i leads from taps[i] to taps[i + 1].
struct JacobianChain {
  std::vector<std::string> taps{};      ///< the taps from the input side on, one more than layers
  std::vector<JacobianStack> layers{};  ///< the layers, in the order of the taps
};

}  // namespace descramble
