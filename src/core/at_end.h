#pragma once

#include <exception>
#include <functional>
#include <utility>

namespace descramble {

/// Calls a function at the end of a block, also after an exception. What the function throws is
/// dropped: the exception that ends the block says more, and other restoring goes on.
class AtEnd {
 public:
  explicit AtEnd(std::function<void()> call) : call_(std::move(call)) {}
  ~AtEnd() {
    try {
      call_();
    } catch (const std::exception&) {
    }
  }
  AtEnd(const AtEnd&) = delete;
  AtEnd& operator=(const AtEnd&) = delete;

 private:
  std::function<void()> call_;
};

}  // namespace descramble
