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

namespace descramble {

/// The Jacobians J(x) between two taps for some samples. They do not depend on any rotation: they
/// are computed once and kept where they fit under a ceiling, and above it computed again, some
/// samples at a time, whenever they are asked for.
class JacobianStack {
 public:
  struct Options {
    std::int64_t memory_mb = 4096;  ///< ceiling for what is kept, and for a chunk
    std::int64_t sharers = 1;       ///< stacks that have that ceiling together: each a part of it
    std::int64_t batch_size = 512;  ///< samples that run through the network at once, at most
    at::Tensor weights{};           ///< [N], float64, ≥ 0: of each sample; undefined: all 1
    /// Called with the samples that are done, for progress.
    std::function<void(std::int64_t)> on_samples{};
  };
  /// Which side's rates a collapse may put its masks into.
  enum class Side { outputs, inputs };

  /// Samples `indices` of `data`. `layer` is shared, since Jacobians may be computed again later.
  /// Of a layer that selects rows, samples without a sampled position that counts weigh nothing.
  /// @throws Error for no samples, or none with a position that counts, weights that do not fit, a
  /// ceiling below what one sample needs (how much), a Jacobian that is not finite (which sample;
  /// of Jacobians that are not kept also whenever they are asked for)
  static JacobianStack of(std::shared_ptr<const LayerJacobian> layer,
                          std::shared_ptr<const DataSet> data,
                          const std::vector<std::int64_t>& indices, const Options& options);

  /// J(x) = diag(m(x)) W, or W diag(m(x)): for a function that is a sum over outputs (or inputs),
  /// the mean of m, the firing rates, says all that the samples do: Σᵢ pᵢ φ(row i of W). One block,
  /// with a weight for each output (or input), in place of N. Nothing where the path does not show
  /// such a structure.
  static std::optional<JacobianStack> collapsed(const LayerJacobian& layer, const DataSet& data,
                                                const std::vector<std::int64_t>& indices, Side side,
                                                const Options& options);

  /// Jacobians at hand: [N, o, h].
  JacobianStack(std::string from, std::string to, const at::Tensor& jacobians);

  struct Part {
    at::Tensor blocks{};   ///< [K, o, h]
    at::Tensor weights{};  ///< float64, [K, 1, 1]; of a collapsed stack [1, o, 1] or [1, 1, h]
    at::Tensor sample{};   ///< [K], int64, from 0: whose block; undefined: one block a sample
    std::int64_t samples = 0;
  };
  /// In the order of the samples. Without positions Σ weights over all parts is 1 (collapsed: the
  /// firing rates); with them it is the mean number of input positions that a block is there for.
  void for_each(const std::function<void(const Part& part)>& visit) const;

  /// The first `samples` alone, their weights brought to a sum of 1 again. All of them where those
  /// weigh nothing.
  JacobianStack first(std::int64_t samples) const;

  const std::string& from() const { return from_; }
  const std::string& to() const { return to_; }
  std::int64_t inputs() const { return inputs_; }    ///< h
  std::int64_t outputs() const { return outputs_; }  ///< o
  std::int64_t samples() const { return samples_; }
  std::int64_t uncounted() const { return uncounted_; }  ///< samples without a row that counts
  bool kept() const { return !std::holds_alternative<Streamed>(content_); }
  bool is_collapsed() const { return std::holds_alternative<Collapsed>(content_); }
  /// The side whose rates the weights of a collapsed stack are; nothing: not collapsed, or a
  /// constant Jacobian, which fits both.
  std::optional<Side> collapsed_side() const;
  at::ScalarType dtype() const { return dtype_; }

 private:
  /// The Jacobians at hand.
  struct Kept {
    std::vector<Part> parts;
  };
  /// They are made again whenever they are asked for, `chunk` samples at a time.
  struct Streamed {
    /// Samples begin … end − 1.
    std::function<Part(std::int64_t begin, std::int64_t end)> make{};
    std::int64_t chunk = 0;
  };
  /// One block in place of all.
  struct Collapsed {
    Part part{};
    std::optional<Side> side{};  ///< whose rates its weights are; nothing: J is constant
  };

  explicit JacobianStack(const LayerJacobian& layer);  ///< without samples

  std::string from_{};
  std::string to_{};
  std::int64_t inputs_ = 0;
  std::int64_t outputs_ = 0;
  std::int64_t samples_ = 0;
  std::int64_t uncounted_ = 0;
  at::ScalarType dtype_ = at::kFloat;
  at::Tensor weights_{};  ///< [N], float64, of the samples: a sum of 1 over all that there were
  double share_ = 1;      ///< what those of the samples at hand sum to
  std::variant<Kept, Streamed, Collapsed> content_{};
};

/// Jacobians from tap to tap along a chain: layer i leads from taps[i] to taps[i + 1].
struct JacobianChain {
  std::vector<std::string> taps{};
  std::vector<JacobianStack> layers{};
};

}  // namespace descramble
