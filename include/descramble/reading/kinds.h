#pragma once

#include <vector>

#include "descramble/config/kind.h"
#include "descramble/config/settings.h"
#include "descramble/reading/reading.h"

namespace [[gnu::visibility("default")]] descramble {

/// A question that can be asked of a matrix.
struct ReadingKind {
  KindInfo info{};  ///< its name, fields and summary
  /// `other`: a second matrix for readings that compare; null: none was given.
  /// @throws Error for a matrix that is too small for the question, or that does not suit it
  Reading (*read)(const MatrixView& matrix, const MatrixView* other,
                  const Settings& settings) = nullptr;
  bool needs_other = false;  ///< whether a second matrix must be given
  /// Checks the settings alone; absent: there is nothing to check.
  /// @throws Error for settings that do not fit each other
  void (*check)(const Settings& settings) = nullptr;
};

/// Every kind in src/reading/builtin.def.
const std::vector<ReadingKind>& reading_kinds();
/// The kinds as configs, schema and documentation see them.
const KindFamily& reading_family();

/// Checks that a matrix can be read.
/// @throws Error for anything but a matrix with finite numbers of a usual size (below 1e100)
void require_readable(const MatrixView& matrix);

/// Reads a matrix. `settings` are resolved against `reading_family()`.
/// @throws Error as the kind does, and for a matrix with NaN or inf
Reading read_matrix(const MatrixView& matrix, const MatrixView* other, const Settings& settings);

}  // namespace descramble
