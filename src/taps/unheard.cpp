#include "taps/unheard.h"

#include <atomic>
#include <map>
#include <mutex>

namespace descramble {

namespace {

std::atomic<int> watchers = 0;  ///< objects that live
std::mutex names_mutex;
std::map<const UnheardTaps*, std::set<std::string>> met_unheard;

}  // namespace

UnheardTaps::UnheardTaps() {
  const std::lock_guard lock(names_mutex);
  met_unheard[this];
  ++watchers;
}

UnheardTaps::~UnheardTaps() {
  const std::lock_guard lock(names_mutex);
  met_unheard.erase(this);
  --watchers;
}

std::set<std::string> UnheardTaps::names() const {
  const std::lock_guard lock(names_mutex);
  return met_unheard.at(this);
}

void note_unheard(const std::string& name) {
  if (watchers.load(std::memory_order_relaxed) == 0) return;
  const std::lock_guard lock(names_mutex);
  for (auto& [owner, names] : met_unheard) names.insert(name);
}

}  // namespace descramble
