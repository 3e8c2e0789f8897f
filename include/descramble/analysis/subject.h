#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "descramble/analysis/check_samples.h"
#include "descramble/data/data_set.h"
#include "descramble/model/model.h"
#include "descramble/taps/rows.h"

namespace [[gnu::visibility("default")]] descramble {

/// One of a subject's two sources.
enum class Split {
  train,  ///< the source for statistics and learning
  test    ///< the source for accuracies and held-out values
};
/// "train", "test".
std::string split_name(Split split);
/// The split of that name.
/// @throws Error for another name
Split parse_split(const std::string& name);

/// A network and its data. Every analysis works on a subject.
struct Subject {
  Model model;                    ///< the network, in eval mode
  Source train{};                 ///< the source for statistics and learning
  Source test{};                  ///< the source for accuracies and held-out values
  bool separate_test = false;     ///< `train` and `test` are different sources
  CheckSamples check{};           ///< the samples on which certificates are measured
  std::uint64_t seed = 1;         ///< the seed of all random streams
  std::int64_t memory_mb = 4096;  ///< ceiling for matrices and kept values, MiB
  /// The limit for a certificate, max|f − f′| / max|f|; 0: by the dtype and the noise floor.
  double tolerance = 0;

  /// The source of that name.
  const Source& source(Split split) const { return split == Split::train ? train : test; }
  /// The model that runs the check samples from the state in the archive, whatever ran before.
  Model check_model() const { return model.with_policy(StatePolicy::reset); }
};

/// How a network is opened on its data.
struct SubjectOptions {
  std::uint64_t seed = 1;         ///< the seed of all random streams
  std::int64_t memory_mb = 4096;  ///< ceiling for matrices and kept values, MiB
  double tolerance = 0;           ///< see Subject::tolerance
  /// The model was converted to another dtype, so the data must be converted too.
  bool converted = false;
  std::int64_t batch_dim = 0;  ///< where the model expects the samples (for a result's "check")
};

/// Opens a network on its data: runs a few check samples through it and learns which inputs it
/// takes. The data are converted to the model's dtype if the model takes no other. If the model
/// takes only one batch size, the samples behind the last whole batch are left out. A model with
/// the policy `live` runs under `reset`, so that no analysis depends on an earlier one. Without
/// `test`, `train` is used for both.
///
///     auto subject = descramble::open_subject(model, descramble::tensor_set(images, labels));
///
/// @throws Error for an empty source, samples that the model does not take, or an output that is
/// not finite
Subject open_subject(const Model& model, const Source& train,
                     const std::optional<Source>& test = std::nullopt,
                     const SubjectOptions& options = {});

/// Names of the data's inputs; "input", "input_1", … if the data give no names.
std::vector<std::string> input_names(const Source& source);

/// Finds the input that the selection names as its mask; returns the selection with its number.
/// @throws Error if the data have no input of that name
RowSelection found_rows(const RowSelection& rows, const Subject& subject);

}  // namespace descramble
