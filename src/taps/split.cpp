#include "descramble/taps/split.h"

#include <ATen/core/ivalue.h>

#include "descramble/core/error.h"
#include "descramble/model/network.h"
#include "model/interpreter_message.h"
#include "model/state.h"
#include "taps/split_state.h"

namespace descramble {

SplitModel split_model(const Model& model, const std::string& tap) {
  return SplitModel(std::make_shared<SplitModel::State>(
      SplitModel::State{model, model.network().split(tap), tap}));
}

Cut SplitModel::prefix_values(const std::vector<c10::IValue>& inputs) const {
  const Model& model = state_->model;
  SplitProgram::Halfway half;
  try {
    half = state_->program->prefix(model.state().begin_pass(inputs));
  } catch (const std::exception& error) {
    throw input_error(model, inputs, error);
  }
  Cut cut{model.batched() ? half.value : half.value.unsqueeze(0), std::move(half.live)};
  if (model.state_policy() != StatePolicy::live) cut.written = Snapshot(model);
  return cut;
}

Cut SplitModel::prefix(const std::vector<at::Tensor>& inputs) const {
  return prefix_values(state_->model.arguments(inputs));
}

c10::IValue SplitModel::suffix_values(const Cut& cut) const {
  if (cut.written) cut.written->restore();
  try {
    return state_->program->suffix(state_->model.batched() ? cut.value : cut.value.squeeze(0),
                                   *cut.live);
  } catch (const std::exception& error) {
    throw Error({"the rest of the model does not take this value", "tap '" + state_->tap + "'",
                 "what was tapped (" + interpreter_message(error) + ")", shape_text(cut.value)});
  }
}

at::Tensor SplitModel::suffix(const Cut& cut) const {
  return state_->model.state().logits(suffix_values(cut));
}

}  // namespace descramble
