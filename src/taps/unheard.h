#pragma once

#include <set>
#include <string>

namespace descramble {

/// While it lives, the names of taps that are met on threads without listeners are kept. Such a
/// thread may be one that a forward started itself.
class UnheardTaps {
 public:
  UnheardTaps();
  ~UnheardTaps();
  UnheardTaps(const UnheardTaps&) = delete;
  UnheardTaps& operator=(const UnheardTaps&) = delete;

  /// Those that were met since the object was made.
  std::set<std::string> names() const;
};

/// Called by a tap without listeners; nearly nothing while no UnheardTaps lives.
void note_unheard(const std::string& name);

}  // namespace descramble
