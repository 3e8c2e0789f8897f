#pragma once

#include <functional>
#include <string>

#include <ATen/core/Tensor.h>

#include "descramble/taps/tapped_model.h"

namespace descramble {

/// A tap for modules written in C++: returns `value`, or what the handlers of the enclosing
/// TapScope on this thread make of it. Costs a comparison when there is none.
///
///     at::Tensor forward(at::Tensor x) { return fc2(torch::relu(descramble::tap("fc1", fc1(x))));
///     }
at::Tensor tap(const std::string& name, const at::Tensor& value);

/// Handlers for `tap(name, …)` calls on this thread, as long as the scope lives. Scopes nest: the
/// innermost runs first.
class TapScope {
 public:
  TapScope();
  ~TapScope();
  TapScope(const TapScope&) = delete;
  TapScope& operator=(const TapScope&) = delete;

  void observe(const std::string& name, std::function<void(const at::Tensor&)> handler);
  void replace(const std::string& name, std::function<at::Tensor(const at::Tensor&)> handler);
  /// How often `tap(name, …)` was met in this scope.
  std::int64_t fired(const std::string& name) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
  friend at::Tensor tap(const std::string&, const at::Tensor&);
};

}  // namespace descramble
