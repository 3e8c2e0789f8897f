#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>
#include <nlohmann/json_fwd.hpp>

#include "descramble/core/paths.h"

namespace descramble {

/// Some samples: the model's inputs, each [n, …] in its own dtype, and their labels (undefined
/// where the data has none): int64 classes [n], or floating-point targets [n, …] of a regression.
struct Batch {
  std::vector<at::Tensor> inputs{};
  at::Tensor labels{};
};

/// A file or folder that a result depends on.
struct InputFile {
  std::string role{};            ///< "images", "labels"
  std::string given{};           ///< as the config has it
  std::filesystem::path path{};  ///< where it was found
  std::string sha256{};          ///< taken when it was opened; empty: not yet
};

/// An immutable, indexable set of samples. Reading may decode from disk each time; memory does not
/// grow with the number of samples unless the format is held whole (IDX: one byte a pixel; digits;
/// safetensors).
class DataSet {
 public:
  virtual ~DataSet() = default;

  virtual std::int64_t size() const = 0;
  virtual bool has_labels() const = 0;
  /// Samples in the order of `indices`, each in [0, size()). Same indices, same values.
  virtual Batch gather(const std::vector<std::int64_t>& indices) const = 0;
  virtual std::vector<InputFile> files() const { return {}; }
  /// Names of the classes, where the source knows them.
  virtual std::vector<std::string> class_names() const { return {}; }
  /// Names of the inputs, where the source knows them.
  virtual std::vector<std::string> input_names() const { return {}; }

  /// What a person should know of what was found: files that were skipped, an order.
  virtual std::vector<std::string> warnings() const { return {}; }

  /// Samples begin … end − 1.
  Batch slice(std::int64_t begin, std::int64_t end) const;
};

/// A data set as a config gives it, with the batch size it asked for.
struct Source {
  std::shared_ptr<const DataSet> data{};
  std::int64_t batch_size = 256;
};

struct DataContext {
  std::uint64_t seed = 0;
  PathSearch paths{};
  /// Distinguishes the streams of generated sources: "train" and "test" never share a sample.
  std::string split = "train";
  std::string pointer = "/data";  ///< where `resolved` stands in the config, for errors
};

/// Opens a source that was resolved against `source_family()` and applies the fields that every
/// source has: limit, shape, scale, mean, std (value·scale, then (value − mean)/std by channel), or
/// for a named input those of its entry in "prepare".
/// @throws Error for a missing, damaged or empty source (file, expected, found)
Source open_source(const nlohmann::json& resolved, const DataContext& context);

}  // namespace descramble
