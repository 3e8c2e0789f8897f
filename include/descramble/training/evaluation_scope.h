#pragma once

#include <memory>

#include "descramble/model/model.h"

namespace [[gnu::visibility("default")]] descramble {

/// Lets a model run in the middle of its training without changing it. While this object lives, the
/// model is in eval mode and without gradients. At its end the mode of each submodule, the default
/// random generators, and the buffers and attributes that forward writes are restored. The
/// listeners of the thread's TapScopes hear nothing meanwhile.
class EvaluationScope {
 public:
  /// Puts the model into eval mode and remembers what a pass would change.
  explicit EvaluationScope(const Model& model);
  ~EvaluationScope();
  EvaluationScope(const EvaluationScope&) = delete;
  EvaluationScope& operator=(const EvaluationScope&) = delete;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace descramble
