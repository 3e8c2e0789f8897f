#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "analysis/judge.h"
#include "descramble/analysis/completeness.h"
#include "descramble/core/error.h"
#include "descramble/taps/rows.h"
#include "descramble/taps/tapped_model.h"

namespace descramble {

/// A tap while it is measured.
struct TapRun {
  TappedModel tapped;
  std::optional<SplitModel> split{};            ///< absent: the whole network runs for each count
  at::Tensor target{};                          ///< what an ablated component becomes
  std::vector<std::function<Basis()>> bases{};  ///< of the result's bases, made when needed
  std::size_t at_once = 1;                      ///< bases that fit into memory
  std::vector<std::int64_t> counts{};           ///< of the next pass
  TapCompleteness result{};

  const std::string& tap() const { return result.space.name; }
  /// Bases first … last − 1 are ablated together, with all curves that they have.
  std::size_t last(std::size_t first) const { return std::min(first + at_once, bases.size()); }
};

/// The data that all taps share in a pass.
struct PassInput {
  const Source& source;
  const Model& model;
  const RowSelection& selection;
  Progress& progress;
};

/// Passes over the data for the next counts of each tap: one pass if all bases fit into memory,
/// else several passes with as many bases as fit. `classes` becomes the number of logits.
void run_pass(const std::string& label, const PassInput& input, std::vector<TapRun>& runs,
              Judge& judge, std::int64_t& classes);

/// Runs `work`; its Error gets the name of the tap if it has none.
template <class Work>
auto at_tap_of(const std::string& tap, const Work& work) {
  const auto name_tap = [&](Complaint& complaint) {
    if (complaint.where.find("tap '") == std::string::npos)
      complaint.where += (complaint.where.empty() ? "" : ", ") + ("tap '" + tap + "'");
  };
  return with_complaint(name_tap, work);
}

}  // namespace descramble
