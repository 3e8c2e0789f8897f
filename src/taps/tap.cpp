#include "descramble/taps/tap.h"

#include <map>
#include <vector>

namespace descramble {

struct TapScope::State {
  std::map<std::string, std::vector<std::function<at::Tensor(const at::Tensor&)>>> handlers{};
  std::map<std::string, std::int64_t> fired{};
  State* outer = nullptr;
};

namespace {

/// Innermost scope of this thread. Typed as void because State is private to TapScope.
thread_local void* innermost = nullptr;

}  // namespace

TapScope::TapScope() : state_(std::make_unique<State>()) {
  state_->outer = static_cast<State*>(innermost);
  innermost = state_.get();
}

TapScope::~TapScope() {
  innermost = state_->outer;
}

void TapScope::observe(const std::string& name, std::function<void(const at::Tensor&)> handler) {
  replace(name, [handler = std::move(handler)](const at::Tensor& value) {
    handler(value);
    return value;
  });
}

void TapScope::replace(const std::string& name,
                       std::function<at::Tensor(const at::Tensor&)> handler) {
  state_->handlers[name].push_back(std::move(handler));
}

std::int64_t TapScope::fired(const std::string& name) const {
  const auto found = state_->fired.find(name);
  return found == state_->fired.end() ? 0 : found->second;
}

at::Tensor tap(const std::string& name, const at::Tensor& value) {
  if (innermost == nullptr) return value;
  at::Tensor current = value;
  for (auto* scope = static_cast<TapScope::State*>(innermost); scope != nullptr;
       scope = scope->outer) {
    ++scope->fired[name];
    const auto found = scope->handlers.find(name);
    if (found == scope->handlers.end()) continue;
    const auto firing = found->second;  // a handler may add others, which run from the next time on
    for (const auto& handler : firing) current = handler(current);
  }
  return current;
}

}  // namespace descramble
