#pragma once

#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/record_function.h>

namespace descramble {

/// Watches the operations of a forward pass on this thread, and tells where what depends on a value
/// loses its derivative: autograd itself says nothing when one of two branches does.
class DerivativeTrace {
 public:
  DerivativeTrace();
  ~DerivativeTrace();
  DerivativeTrace(const DerivativeTrace&) = delete;
  DerivativeTrace& operator=(const DerivativeTrace&) = delete;

  /// From here on `value`, which requires a gradient, is followed. Only the last one is.
  void follow(const at::Tensor& value);

  /// What lies on the way from the followed value to another one, by the names of operators, in the
  /// order in which they ran.
  struct Losses {
    /// Operations of numbers whose result has no derivative, or one that is zero wherever it exists
    /// (rounding): what passes them is missing in a Jacobian.
    std::vector<std::string> cuts{};
    /// Comparisons and indices: constant but for jumps, as masks are.
    std::vector<std::string> steps{};

    void add(const Losses& other);
    bool empty() const { return cuts.empty() && steps.empty(); }
  };
  Losses losses(const at::Tensor& out) const;

 private:
  struct Mark {
    bool live = false;  ///< depends on the value, with a derivative
    Losses lost{};      ///< ways on which it depends on the value without one
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
  Losses left_{};  ///< where numbers left the tensors: they may come back anywhere
  std::vector<at::Tensor> alive_{};  ///< so that no address is used twice
  at::CallbackHandle handle_{};
  DerivativeTrace* outer_ = nullptr;
};

}  // namespace descramble
