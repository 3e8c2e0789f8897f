#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "descramble/analysis/check_samples.h"
#include "descramble/data/data_set.h"
#include "descramble/model/model.h"
#include "descramble/taps/rows.h"

namespace descramble {

/// Which of a subject's two sources.
enum class Split { train, test };
/// "train", "test".
std::string split_name(Split split);
/// @throws Error for another name
Split parse_split(const std::string& name);

/// A network and its data: what every analysis is about.
struct Subject {
  Model model;
  Source train{};                 ///< the source of statistics and of what is learned
  Source test{};                  ///< the source of accuracies and of what is held out
  bool separate_test = false;     ///< the two are different sources
  CheckSamples check{};           ///< for certificates
  std::uint64_t seed = 1;         ///< of all random streams
  std::int64_t memory_mb = 4096;  ///< ceiling for matrices and kept values, MiB
  /// What a certificate is judged by, max|f − f′| / max|f|; 0: by the dtype and the noise floor.
  double tolerance = 0;

  const Source& source(Split split) const { return split == Split::train ? train : test; }
  /// The model that takes the check samples from its start, whatever ran before.
  Model check_model() const { return model.with_policy(StatePolicy::reset); }
};

struct SubjectOptions {
  std::uint64_t seed = 1;
  std::int64_t memory_mb = 4096;
  double tolerance = 0;
  /// The model was converted to another dtype, so that the data have to follow it there.
  bool converted = false;
  std::int64_t batch_dim = 0;  ///< where the model expects the samples (for a result's "check")
};

/// Opens a network on its data: runs a few check samples through it and learns what it takes. Data
/// follow the model's dtype where it takes no other. Of a model for one batch size, samples beyond
/// the last whole batch are left out. A model whose policy is `live` is taken under `reset`, so
/// that no analysis depends on the one before. Without `test`, `train` serves for both.
///
///     auto subject = descramble::open_subject(model, descramble::tensor_set(images, labels));
///
/// @throws Error for an empty source, samples that the model does not take, or an output that is
/// not finite
Subject open_subject(const Model& model, const Source& train,
                     const std::optional<Source>& test = std::nullopt,
                     const SubjectOptions& options = {});

/// Names of the data's inputs; "input", "input_1", … where it has none.
std::vector<std::string> input_names(const Source& source);

/// A selection whose mask is named, with the number of that input.
/// @throws Error where the data have no such input
RowSelection found_rows(const RowSelection& rows, const Subject& subject);

}  // namespace descramble
