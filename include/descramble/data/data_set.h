#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <nlohmann/json_fwd.hpp>

#include "descramble/core/paths.h"

namespace [[gnu::visibility("default")]] descramble {

/// Some samples: the model's inputs, each [n, …] in its own dtype, and their labels (undefined
/// if the data has none): int64 classes [n], or floating-point targets [n, …] of a regression.
struct Batch {
  std::vector<at::Tensor> inputs{};  ///< the inputs, one tensor for each input of the model
  at::Tensor labels{};               ///< classes, targets, or undefined
};

/// A file or folder that a result depends on.
struct InputFile {
  std::string role{};            ///< "images", "labels"
  std::string given{};           ///< the path as the config has it
  std::filesystem::path path{};  ///< where it was found
  std::string sha256{};          ///< taken when it was opened; empty: not yet
};

/// The physical meaning of the last dimension of an input or of the labels.
struct AxisScale {
  std::string title{};           ///< "time / µs"
  std::vector<double> values{};  ///< the values, one for each number of the dimension
};

/// An immutable, indexable set of samples. A read may decode from disk each time. Memory does not
/// grow with the number of samples, except for formats that are kept in memory as a whole (IDX: one
/// byte per pixel; digits; safetensors).
class DataSet {
 public:
  virtual ~DataSet() = default;

  /// The number of samples.
  virtual std::int64_t size() const = 0;
  /// Whether batches have labels.
  virtual bool has_labels() const = 0;
  /// Samples in the order of `indices`, each in [0, size()). The same indices give the same values.
  virtual Batch gather(const std::vector<std::int64_t>& indices) const = 0;
  /// The files that the samples come from, for the hashes in a result.
  virtual std::vector<InputFile> files() const { return {}; }
  /// Names of the classes, if the source knows them.
  virtual std::vector<std::string> class_names() const { return {}; }
  /// Names of the inputs, if the source knows them.
  virtual std::vector<std::string> input_names() const { return {}; }

  /// The last dimension of the first input, if the source knows it; no values: unknown.
  virtual AxisScale input_scale() const { return {}; }
  /// The last dimension of the labels, if the source knows it.
  virtual AxisScale label_scale() const { return {}; }

  /// Values of the first input, [n, …] as `gather` gives them, before scale, mean and std: as a
  /// person knows them.
  virtual at::Tensor unprepared(const at::Tensor& input) const;

  /// What a person should know about the data: files that were skipped, an order.
  virtual std::vector<std::string> warnings() const { return {}; }

  /// Samples begin … end − 1.
  Batch slice(std::int64_t begin, std::int64_t end) const;
};

/// A data set and the batch size with which it is read.
struct Source {
  std::shared_ptr<const DataSet> data{};  ///< the samples
  std::int64_t batch_size = 256;          ///< samples that run through a network at once
};

/// What opening a source needs besides its fields.
struct DataContext {
  std::uint64_t seed = 0;  ///< the seed of generated samples
  PathSearch paths{};      ///< where files are searched
  /// Distinguishes the streams of generated sources: "train" and "test" never share a sample.
  std::string split = "train";
  std::string pointer = "/data";  ///< the place of `resolved` in the config, for errors
  std::int64_t memory_mb = 4096;  ///< ceiling for samples that are kept in memory, MiB
};

/// Opens a source that was resolved against `source_family()`. Applies the fields that every
/// source has: limit, shape, scale, mean, std (value·scale, then (value − mean)/std by channel). An
/// input with an entry in "prepare" takes the fields of its entry.
/// @throws Error for a missing, damaged or empty source (file, expected, found)
Source open_source(const nlohmann::json& resolved, const DataContext& context);

}  // namespace descramble
