#pragma once

#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/record_function.h>

namespace descramble {

/// Watches the operations of a forward pass on this thread, and finds the operations at which
/// values that depend on a given value lose their derivative. Autograd itself does not report it
/// when one of two branches loses its derivative.
class DerivativeTrace {
 public:
  DerivativeTrace();
  ~DerivativeTrace();
  DerivativeTrace(const DerivativeTrace&) = delete;
  DerivativeTrace& operator=(const DerivativeTrace&) = delete;

  /// From here on `value`, which requires a gradient, is followed. Only the last one is.
  void follow(const at::Tensor& value);

  /// The operations between the followed value and another value: names of operators, in the order
  /// in which they ran.
  struct Losses {
    /// Operations of numbers whose result has no derivative, or one that is zero wherever it exists
    /// (rounding): what passes them is missing in a Jacobian.
    std::vector<std::string> cuts{};
    /// Comparisons and indices: constant except for jumps, like masks.
    std::vector<std::string> steps{};

    void add(const Losses& other);
    bool empty() const { return cuts.empty() && steps.empty(); }
  };
  Losses losses(const at::Tensor& out) const;

 private:
  struct Mark {
    bool live = false;  ///< depends on the value, with a derivative
    Losses lost{};      ///< paths on which it depends on the value without a derivative
    void add(const Mark& other) {
      live = live || other.live;
      lost.add(other.lost);
    }
  };
  struct Call;
  void record(const Call& call, c10::ArrayRef<const c10::IValue> outputs);
  Mark mark_of(const at::Tensor& tensor) const;
  void add(const at::Tensor& tensor, const Mark& mark, bool written);

  std::unordered_map<const c10::TensorImpl*, Mark> marks_{};
  /// Of memory that somebody wrote to: all tensors in it.
  std::unordered_map<const c10::StorageImpl*, Mark> written_{};
  std::set<const c10::StorageImpl*> live_memory_{};
  Losses left_{};  ///< operations at which numbers left the tensors: they may come back anywhere
  std::vector<at::Tensor> alive_{};  ///< so that no address is used twice
  at::CallbackHandle handle_{};
  DerivativeTrace* outer_ = nullptr;
};

}  // namespace descramble
