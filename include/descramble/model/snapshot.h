#pragma once

#include <functional>

#include "descramble/model/model.h"

namespace [[gnu::visibility("default")]] descramble {

/// What a model's forward writes (Model::written), as it was at one moment: contents of tensors,
/// values of attributes. Cheap where forward writes nothing.
///
///     const Snapshot before(model);
///     model.forward(inputs);   // a recurrent policy moves its hidden state
///     before.restore();        // and is back where it was
class Snapshot {
 public:
  /// Copies what forward writes.
  explicit Snapshot(const Model& model);
  /// Tensors keep their identity: contents are copied back into them.
  void restore() const {
    if (restore_) restore_();
  }

 private:
  std::function<void()> restore_;
};

/// Restores at its end what a model's forward has written meanwhile.
class StateScope {
 public:
  /// Takes the snapshot that the end restores.
  explicit StateScope(const Model& model) : before_(model) {}
  ~StateScope() { before_.restore(); }
  StateScope(const StateScope&) = delete;
  StateScope& operator=(const StateScope&) = delete;

 private:
  Snapshot before_;
};

}  // namespace descramble
