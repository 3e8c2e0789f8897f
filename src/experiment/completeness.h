#pragma once

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "descramble/basis/basis.h"
#include "experiment/curve.h"
#include "experiment/tap_pass.h"

namespace descramble {

/// A basis as it is ablated: one draw of one of the step's "bases".
struct AblatedBasis {
  std::string label{};
  std::size_t draw = 0;
  std::int64_t size = 0;   ///< directions
  at::Tensor explained{};  ///< share of the variance of each component, [k]
};

/// What ablating the directions of one tap came to.
struct TapCompleteness {
  TapMoments tap{};  ///< of the statistics' data; without its moments
  std::int64_t rows = 0;
  std::int64_t dimension = 0;
  std::vector<AblatedBasis> bases{};
  std::vector<Curve> curves{};  ///< bases × orders
  std::vector<std::string> warnings{};
  /// Why the network runs whole for each count; empty: only what lies behind the tap does.
  std::string obstacle{};
};

/// What outputs are held against: the data's labels or targets, or the class or the output of the
/// untouched model.
enum class Reference { labels, targets, untouched_class, untouched_output };
std::string reference_name(Reference reference);

struct Completeness {
  std::vector<TapCompleteness> taps{};
  Reference reference = Reference::labels;
  std::int64_t classes = 0;  ///< logits of the model; 0 where there is no accuracy
  std::vector<InputFile> files{};
};

/// Runs a resolved step of kind "completeness": moments in one pass for all taps, then one pass
/// over the data for the first counts of all taps and one for the counts that refine them. Bases
/// that do not fit under the memory ceiling together take several such passes, some at a time.
/// Memory does not grow with the number of samples, but for one bit of each curve.
/// @throws Error as its parts do, with the tap
Completeness measure_completeness(const nlohmann::json& resolved, const Workspace& workspace,
                                  Progress& progress);

}  // namespace descramble
