#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include <ATen/core/Tensor.h>

#include "descramble/taps/tapped_model.h"

namespace [[gnu::visibility("default")]] descramble {

/// A tap for modules written in C++: returns `value`, or what the handlers of the enclosing
/// TapScope on this thread make of it. Costs a comparison when there is none.
///
///     at::Tensor forward(at::Tensor x) { return fc2(torch::relu(descramble::tap("fc1", fc1(x))));
///     }
at::Tensor tap(const std::string& name, const at::Tensor& value);

/// Handlers for `tap(name, …)` calls on this thread, as long as the scope lives. Scopes nest: the
/// innermost runs first. Threads do not mix: a thread that a forward starts itself has no
/// listeners, unless it adopts those of the thread that started it:
///
///     const auto listeners = TapScope::listeners();
///     std::thread worker([&] {
///       const auto adopted = TapScope::adopt(listeners);
///       part = descramble::tap("part", …);
///     });
///
/// Handlers then run on either thread, perhaps at once.
class TapScope {
 public:
  /// Encloses the `tap` calls of this thread from now on. It has no handlers yet.
  TapScope();
  ~TapScope();
  TapScope(const TapScope&) = delete;
  TapScope& operator=(const TapScope&) = delete;

  /// Calls `handler` with each value of that name. Handlers of a name run in the order in which
  /// they were added.
  void observe(const std::string& name, std::function<void(const at::Tensor&)> handler);
  /// Puts the handler's result in place of each value of that name.
  void replace(const std::string& name, std::function<at::Tensor(const at::Tensor&)> handler);
  /// For every name, before the handlers of that name.
  void replace_all(
      std::function<at::Tensor(const std::string& name, const at::Tensor& value)> handler);
  /// How often `tap(name, …)` was met in this scope.
  std::int64_t fired(const std::string& name) const;
  /// Checks that every handler was called for.
  /// @throws Error for a handler whose name was never met, with the names that were
  void require_fired() const;

  class State;
  /// What listens on a thread. It keeps handlers alive after their scope.
  using Listeners = std::shared_ptr<State>;
  /// The listeners of this thread; null if there are none.
  static Listeners listeners();

  /// While it lives, this thread has other listeners than its own.
  class Adopted {
   public:
    /// Takes the listeners for this thread; null: none.
    explicit Adopted(Listeners listeners);
    ~Adopted();
    Adopted(const Adopted&) = delete;
    Adopted& operator=(const Adopted&) = delete;

   private:
    Listeners kept_;
    Listeners before_;
  };
  /// Gives this thread the listeners of another one, as long as the result lives.
  [[nodiscard]] static Adopted adopt(const Listeners& listeners) { return Adopted(listeners); }

 private:
  std::shared_ptr<State> state_;
};

}  // namespace descramble
