#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "descramble/config/kind.h"
#include "descramble/config/settings.h"
#include "descramble/core/random.h"
#include "descramble/data/data_set.h"
#include "descramble/data/kinds.h"

namespace descramble {

/// Samples drawn from the seed. Sample i depends only on the seed, the split and i, not on the
/// samples that are drawn with it; the first samples stay the same when the set grows.
class GeneratedSet : public DataSet {
 public:
  /// `name` names the random streams. Inputs are float32 [size, inputs], labels [size, labels].
  GeneratedSet(const std::string& name, std::int64_t size, std::int64_t inputs, std::int64_t labels,
               const DataContext& context);

  std::int64_t size() const override { return size_; }
  bool has_labels() const override { return labels_ > 0; }
  /// Of one sample in memory.
  std::int64_t sample_bytes() const {
    return (inputs_ + labels_) * static_cast<std::int64_t>(sizeof(float));
  }
  Batch gather(const std::vector<std::int64_t>& indices) const override;

 protected:
  /// One sample: `input` has room for the inputs, `label` for the labels. Called on several
  /// threads.
  virtual void draw(RandomStream& random, std::int64_t index, float* input, float* label) const = 0;

  std::uint64_t seed() const { return seed_; }

 private:
  std::int64_t size_;
  std::int64_t inputs_;
  std::int64_t labels_;
  std::uint64_t seed_;
  std::string stream_;
};

/// The fields of a generator: count (with this default), keep, and its own.
std::vector<Field> generator_fields(int count, const std::vector<Field>& own);

/// The set itself, or a copy of all its samples in memory if "keep" asks for it.
/// @throws Error if they need more than the ceiling
std::shared_ptr<const DataSet> kept_if_asked(std::shared_ptr<const GeneratedSet> data,
                                             const Settings& settings, const DataContext& context);

/// Writes `<split>.safetensors` with `inputs`, `labels` (if there are any) and, where they are
/// known, `input_scale` and `label_scale`. The samples are drawn batch by batch.
WrittenFiles write_tensors(const DataSet& data, const std::filesystem::path& folder,
                           const std::string& split);

/// n numbers from `first` to `last`, evenly spaced.
std::vector<double> evenly_spaced(double first, double last, std::int64_t n);

}  // namespace descramble
