#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

namespace descramble {

/// A page that holds all that it needs. `body` is HTML; `data` goes in as one script element of
/// JSON with the id "data"; `scripts` run in this order, and the page's policy lets no others run.
/// A page that `sends` may talk to the server that it came from, and to no other.
struct PageText {
  std::string title{};
  const char* kind = "report";  ///< what this program calls such a page
  std::string body{};
  const nlohmann::json& data;
  std::vector<std::string_view> scripts{};
  bool sends = false;
};
std::string html_page(const PageText& page);

}  // namespace descramble
