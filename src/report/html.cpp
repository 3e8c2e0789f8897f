#include "report/html.h"

#include <algorithm>

#include <fmt/format.h>

#include "descramble/core/base64.h"
#include "descramble/core/markup.h"

namespace descramble {

std::string element(const char* tag, const std::string& content, const char* of) {
  return *of == '\0' ? fmt::format("<{0}>{1}</{0}>\n", tag, content)
                     : fmt::format("<{0} class='{2}'>{1}</{0}>\n", tag, content, of);
}

namespace {

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789+-.eE") == std::string::npos;
}

bool plain_in_url(char c) {
  constexpr std::string_view plain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~!*(),;:@=+$/? ";
  return plain.find(c) != std::string_view::npos;
}

/// Text in a data URI, with all but plain characters as %XX.
std::string in_url(const std::string& text) {
  std::string result;
  for (const char c : text) {
    if (plain_in_url(c)) {
      result += c;
    } else {
      result += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return result;
}

/// The shorter of the two: pictures in an SVG are base64 already, lines and curves are not.
std::string data_uri_of(const std::string& type, const std::string& bytes) {
  const auto plain =
      static_cast<std::size_t>(std::count_if(bytes.begin(), bytes.end(), plain_in_url));
  const std::size_t in_plain = std::string_view(",").size() + plain + 3 * (bytes.size() - plain);
  const std::size_t in_base64 = std::string_view(";base64,").size() + (bytes.size() + 2) / 3 * 4;
  return "data:" + type + (in_plain < in_base64 ? "," + in_url(bytes) : ";base64," + base64(bytes));
}

}  // namespace

std::string html_table(const HtmlTable& table) {
  std::string head;
  for (const std::string& column : table.columns)
    head += "<th scope='col'>" + markup(column) + "</th>";
  std::string body;
  for (const std::vector<std::string>& row : table.rows) {
    std::string cells;
    for (const std::string& cell : row)
      cells += (is_number(cell) ? "<td class='number'>" : "<td>") + markup(cell) + "</td>";
    body += "<tr>" + cells + "</tr>\n";
  }
  const std::string caption =
      table.caption.empty() ? "" : "<caption>" + markup(table.caption) + "</caption>";
  return "<div class='wide'><table>" + caption + "<thead><tr>" + head + "</tr></thead><tbody>\n" +
         body + "</tbody></table></div>\n";
}

std::string svg_image(const std::string& svg, const std::string& alternative) {
  return "<img src='" + data_uri_of("image/svg+xml", svg) + "' alt='" + markup(alternative) +
         "'>\n";
}

std::string download(const std::string& bytes, const char* type, const std::string& name) {
  return fmt::format("<a class='download' download='{0}' href='{1}'>{0}</a>\n", markup(name),
                     data_uri_of(type, bytes));
}

std::string details(const std::string& summary, const std::string& content) {
  return "<details><summary>" + markup(summary) + "</summary>\n" + content + "</details>\n";
}

}  // namespace descramble
