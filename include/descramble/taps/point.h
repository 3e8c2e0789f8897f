#pragma once

#include <string>
#include <vector>

#include "descramble/model/model.h"

namespace [[gnu::visibility("default")]] descramble {

/// A place in a model's graph where a tensor can be tapped.
///
/// Names: a submodule's result is named as named_modules() names the submodule (`features.3`);
/// called again, `_1`, `_2` follow. An operation in the forward of a module that is not one of
/// torch.nn's is named owner.operator (`layer1.0.add`, an in-place operator's trailing `_`
/// dropped). A generated name that is taken gets the next free number. `input` and `output` are the
/// model's own; where a module returns a tuple, its tensors are `lstm.0`, `lstm.1.0`; `NAME.input`
/// is the first tensor that a point's call receives. Order: as values come into being.
struct TapPoint {
  std::string name{};  ///< unique in the model
  std::string kind{};  ///< "module", "operator", "input" or "output"
  std::string type{};  ///< class of the module ("Conv2d") or operator ("aten::cat")
  /// The value comes from a convolution, pool or normalisation in one dimension, perhaps through
  /// operations number by number: of [N, C, L], dimension 1 holds the channels.
  bool channels_first = false;
  bool in_control_flow = false;  ///< inside an `if` or `loop`: fires any number of times
  /// The nearest points before it whose values it is computed from, where the backend knows them:
  /// two for a sum of two branches.
  std::vector<std::string> from{};
};

/// How many calls by torch.jit.fork the method makes: what runs there is not looked into.
std::int64_t count_forks(const Model& model);

/// Every tap point of the model, without running it.
std::vector<TapPoint> list_taps(const Model& model);

/// What a point was seen to carry in one forward pass.
struct TapReading {
  TapPoint point{};                   ///< the place
  std::vector<std::int64_t> sizes{};  ///< sizes of the value
  std::string shape{};                ///< "1x64x55x55"; empty: did not fire
  std::string dtype{};                ///< the dtype of the value: "float32"
  std::int64_t fired = 0;             ///< times in this pass
  std::string axis{};  ///< default axis of a floating-point value with samples in front
};

/// Runs the model once on `inputs` with every point tapped.
std::vector<TapReading> read_taps(const Model& model, const std::vector<c10::IValue>& inputs);

/// The names among `names` that a selector means: a name, or a glob (`*` within one component, `**`
/// across components), in the order of `names`. `NAME.input` selects the input of a point.
/// @throws Error with the nearest names when nothing matches
std::vector<std::string> select_names(const std::vector<std::string>& names,
                                      const std::string& selector);

}  // namespace descramble
