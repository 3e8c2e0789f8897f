#pragma once

#include <optional>
#include <utility>
#include <vector>

#include <ATen/core/Generator.h>
#include <ATen/core/grad_mode.h>

#include "descramble/model/model.h"
#include "descramble/model/snapshot.h"

namespace descramble {

/// Lets a model run in the middle of its training without a trace: in eval mode and without
/// gradients while this object lives; at its end training mode, the default random generators and
/// the buffers and attributes that forward writes are as they were.
class EvaluationScope {
 public:
  explicit EvaluationScope(const Model& model);
  ~EvaluationScope();
  EvaluationScope(const EvaluationScope&) = delete;
  EvaluationScope& operator=(const EvaluationScope&) = delete;

 private:
  Model model_;
  bool training_;
  at::NoGradGuard no_grad_{};
  std::vector<std::pair<at::Generator, at::Tensor>> generators_{};
  std::optional<Snapshot> state_{};
};

}  // namespace descramble
