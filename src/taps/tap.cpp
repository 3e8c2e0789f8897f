#include "descramble/taps/tap.h"

#include <atomic>
#include <map>
#include <mutex>
#include <vector>

#include "descramble/core/error.h"
#include "taps/replacement.h"
#include "taps/unheard.h"

namespace descramble {

using Replace = std::function<at::Tensor(const at::Tensor&)>;
using ReplaceAny = std::function<at::Tensor(const std::string&, const at::Tensor&)>;

class TapScope::State : public std::enable_shared_from_this<TapScope::State> {
 public:
  explicit State(std::shared_ptr<State> outer) : outer_(std::move(outer)) {}

  at::Tensor fire(const std::string& name, const at::Tensor& value) {
    // A handler may add others, which run from the next time on.
    std::vector<ReplaceAny> any;
    std::vector<Replace> own;
    {
      const std::lock_guard lock(mutex_);
      ++fired_[name];
      any = any_;
      if (const auto found = handlers_.find(name); found != handlers_.end()) own = found->second;
    }
    at::Tensor current = value;
    for (const ReplaceAny& handler : any)
      current = fitting_replacement(name, current, handler(name, current));
    for (const Replace& handler : own)
      current = fitting_replacement(name, current, handler(current));
    return current;
  }

  void add(const std::string& name, Replace handler) {
    const std::lock_guard lock(mutex_);
    handlers_[name].push_back(std::move(handler));
  }
  void add_any(ReplaceAny handler) {
    const std::lock_guard lock(mutex_);
    any_.push_back(std::move(handler));
  }

  std::int64_t fired(const std::string& name) const {
    const std::lock_guard lock(mutex_);
    const auto found = fired_.find(name);
    return found == fired_.end() ? 0 : found->second;
  }
  void require_fired() const {
    const std::lock_guard lock(mutex_);
    for (const auto& [name, unused] : handlers_) {
      if (fired_.contains(name)) continue;
      std::vector<std::string> met;
      for (const auto& [other, count] : fired_) met.push_back(other);
      throw Error({"tap '" + name + "' was not met", "TapScope",
                   "a call of tap(\"" + name + "\", …) on this thread",
                   met.empty() ? "no tap at all (another thread? see TapScope::adopt)"
                               : quoted_list(nearest(name, met))});
    }
  }

  std::shared_ptr<State> outer() const { return outer_; }
  void end() { ended_ = true; }
  bool has_ended() const { return ended_; }

 private:
  mutable std::mutex mutex_{};  // threads may share the scope: see adopt
  std::map<std::string, std::vector<Replace>> handlers_{};
  std::vector<ReplaceAny> any_{};
  std::map<std::string, std::int64_t> fired_{};
  std::shared_ptr<State> outer_;
  std::atomic<bool> ended_{false};
};

namespace {

/// Innermost scope of this thread.
thread_local TapScope::State* innermost = nullptr;

}  // namespace

TapScope::TapScope() : state_(std::make_shared<State>(listeners())) {
  innermost = state_.get();
}

/// A scope may end before those inside it, or while its thread listens to others: it is ended then,
/// and whoever comes back to it goes on to the next one outside.
TapScope::~TapScope() {
  state_->end();
  while (innermost != nullptr && innermost->has_ended()) innermost = innermost->outer().get();
}

void TapScope::observe(const std::string& name, std::function<void(const at::Tensor&)> handler) {
  replace(name, [handler = std::move(handler)](const at::Tensor& value) {
    handler(value);
    return value;
  });
}

void TapScope::replace(const std::string& name,
                       std::function<at::Tensor(const at::Tensor&)> handler) {
  state_->add(name, std::move(handler));
}

void TapScope::replace_all(
    std::function<at::Tensor(const std::string& name, const at::Tensor& value)> handler) {
  state_->add_any(std::move(handler));
}

std::int64_t TapScope::fired(const std::string& name) const {
  return state_->fired(name);
}

void TapScope::require_fired() const {
  state_->require_fired();
}

TapScope::Listeners TapScope::listeners() {
  return innermost == nullptr ? nullptr : innermost->shared_from_this();
}

TapScope::Adopted::Adopted(Listeners listeners)
    : kept_(std::move(listeners)), before_(TapScope::listeners()) {
  innermost = kept_.get();
}

TapScope::Adopted::~Adopted() {
  while (before_ && before_->has_ended()) before_ = before_->outer();
  innermost = before_.get();
}

at::Tensor tap(const std::string& name, const at::Tensor& value) {
  if (innermost == nullptr) {
    note_unheard(name);
    return value;
  }
  at::Tensor current = value;
  for (TapScope::Listeners scope = TapScope::listeners(); scope; scope = scope->outer()) {
    if (!scope->has_ended()) current = scope->fire(name, current);
  }
  return current;
}

}  // namespace descramble
