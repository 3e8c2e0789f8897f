#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "descramble/model/model.h"

namespace [[gnu::visibility("default")]] descramble {

/// The model with its method's arguments filled as `arguments` says, an object
///
///     {"sr": 16000, "state": [{"input": "h", "batch_dim": 1}, {"input": "c", "batch_dim": 1}]}
///
/// whose values are numbers, strings, booleans, null, {"input": NAME} for an input of the data,
/// lists of those (for lists and tuples) or objects of those (for dictionaries). Arguments that it
/// does not name take the data's other inputs in order: a tensor takes one, a tuple as many as it
/// has parts, a list or dictionary of tensors all that are left; defaults fill the rest.
/// `names` are the data's inputs; `batch_dim` says at which dimension the model expects the
/// samples, which the data have in front; `batched` false: the model takes one sample, without a
/// batch. Inputs of the data in `spare` need not go to the model: where it does not take all
/// inputs, it takes the others.
/// @throws Error at `pointer` for an argument that the method does not have, a value that does not
/// fit its type, an input that is not there, or inputs that nothing takes
Model with_arguments(const Model& model, const nlohmann::json& arguments,
                     const std::vector<std::string>& names, std::int64_t batch_dim, bool batched,
                     const std::string& pointer, const std::vector<std::string>& spare = {});

/// The same without arguments of its own: the data's inputs fill the method's in order.
Model with_inputs(const Model& model, const std::vector<std::string>& names,
                  std::int64_t batch_dim = 0, bool batched = true);

}  // namespace descramble
