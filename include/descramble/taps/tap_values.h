#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "descramble/data/data_set.h"
#include "descramble/taps/axis.h"
#include "descramble/taps/export.h"
#include "descramble/taps/rows.h"
#include "descramble/taps/space.h"
#include "descramble/taps/tapped_model.h"

namespace [[gnu::visibility("default")]] descramble {

/// The values of one tap over some data, batch by batch, for any number of passes. The network
/// computes them once, and they are kept in the model's own dtype if they fit under a memory
/// ceiling. Above the ceiling the network runs up to the tap for each pass.
class TapValues {
 public:
  /// How values are read and kept.
  struct Options {
    std::optional<Axis> axis{};     ///< absent: default_axis of the value
    std::int64_t memory_mb = 4096;  ///< ceiling for what is kept
    /// Give the whole data as one batch, for losses that are no means over samples (a covariance, a
    /// median). The values must fit under the ceiling.
    bool together = false;
    RowSelection rows{};  ///< rows that do not count are not kept
  };

  /// Runs `data` through the model up to the tap. @throws Error for an unknown tap, values
  /// that are not floating-point, not finite, change their shape, or are not one for each sample;
  /// for a selection of rows that does not fit or leaves none
  static TapValues of(const TappedModel& tapped, const std::string& tap, const Source& data,
                      const Options& options);
  /// The same with the default options.
  static TapValues of(const TappedModel& tapped, const std::string& tap, const Source& data) {
    return of(tapped, tap, data, Options{});
  }
  /// Values at hand: [n, …], the axis holding the d quantities. @throws Error as above
  TapValues(std::string tap, const at::Tensor& values, Axis axis);

  /// The values minus the mean of all rows. Costs one pass.
  TapValues centred() const;

  /// The tap's name, axis, shape and dimension d.
  const TapSpace& space() const { return space_; }
  /// The number of samples.
  std::int64_t samples() const { return samples_; }
  std::int64_t rows() const {
    return count_;
  }  ///< the number of rows that count, of all samples together
  /// Whether the values are kept in memory; if not, each pass runs the network.
  bool kept() const { return !rerun_; }

  /// Some samples: rows [N, d] (every position of a sample that counts is a row), in float64, and
  /// how many samples they are.
  struct Part {
    at::Tensor rows{};         ///< [N, d], float64
    std::int64_t samples = 0;  ///< the number of samples that the rows belong to
  };
  /// Visits all values, part by part, in the order of the data.
  void for_each(const std::function<void(const Part& part)>& visit) const;

  /// The edit that writes a rotation of these values into the model (see export_model).
  RotationEdit edit(const at::Tensor& rotation) const;

  /// Rows of a part back in the shape that the value has in the network, [samples, …].
  /// @throws Error where only some rows count
  at::Tensor shaped(const at::Tensor& rows, std::int64_t samples) const;

 private:
  TapValues() = default;
  Part part_of(const at::Tensor& value, const std::vector<at::Tensor>& inputs) const;
  void learn_shape(const at::Tensor& value, Axis axis);

  TapSpace space_{};
  std::int64_t samples_ = 0;
  std::int64_t count_ = 0;
  RowSelection selection_{};
  std::vector<Part> parts_{};
  at::Tensor mean_{};  // subtracted from each row; undefined: nothing is
  std::function<void(const std::function<void(const Part& part)>&)> rerun_{};
};

}  // namespace descramble
