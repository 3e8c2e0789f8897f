#include "report/page_text.h"

#include <array>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <openssl/sha.h>

#include "descramble/core/base64.h"
#include "descramble/core/markup.h"
#include "report/assets.h"
#include "report/html.h"

namespace descramble {

using nlohmann::json;

namespace {

/// JSON inside of a script element: no text in it can end the element.
std::string json_text(const json& value) {
  std::string text;
  for (const char c : value.dump(-1, ' ', false, json::error_handler_t::replace)) {
    if (c == '<') {
      text += "\\u003c";
    } else {
      text += c;
    }
  }
  return text;
}

std::string script_hash(std::string_view script) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256(reinterpret_cast<const unsigned char*>(script.data()), script.size(), digest.data());
  return "'sha256-" + base64({reinterpret_cast<const char*>(digest.data()), digest.size()}) + "'";
}

}  // namespace

std::string html_page(const PageText& page) {
  std::string hashes;
  std::string elements;
  for (const std::string_view script : page.scripts) {
    hashes += " " + script_hash(script);
    elements += "<script>" + std::string(script) + "</script>\n";
  }
  return fmt::format(
      "<!doctype html>\n<html lang='en'>\n<head>\n<meta charset='utf-8'>\n"
      "<meta http-equiv='Content-Security-Policy' content=\"default-src 'none'; img-src data:; "
      "style-src 'unsafe-inline'; script-src{};{} base-uri 'none'; form-action 'none'\">\n"
      "<meta name='viewport' content='width=device-width, initial-scale=1'>\n"
      "<meta name='generator' content='descramble {}'>\n<link rel='icon' "
      "href='data:,'>\n<title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n{}"
      "<script type='application/json' id='data'>{}</script>\n{}</body>\n</html>\n",
      hashes, page.sends ? " connect-src 'self';" : "", page.kind, markup(page.title),
      asset_page_style(), page.body, json_text(page.data), elements);
}

}  // namespace descramble
