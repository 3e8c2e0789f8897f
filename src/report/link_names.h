#pragma once

#include <set>
#include <string>

#include "report/listen.h"

namespace descramble {

/// The names under which browsers reach a server.
struct LinkNames {
  std::string link{};                ///< "127.0.0.1:8080", as the link has it
  std::set<std::string> accepted{};  ///< what the header Host may say, in small letters
};

/// `host` is NAME or NAME:PORT for a server that is reached by another name, perhaps through a
/// proxy; empty: the listener's address.
/// @throws Error for a host that is neither, and for an address that is none without a host
LinkNames link_names(const Listener& listener, const std::string& host);

/// ASCII letters in small.
std::string lower_case(std::string text);

}  // namespace descramble
