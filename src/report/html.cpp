#include "report/html.h"

#include <algorithm>

#include <fmt/format.h>

#include "descramble/core/base64.h"

namespace descramble {

std::string html(std::string_view text) {
  std::string result;
  for (const char c : text) {
    switch (c) {
      case '&':
        result += "&amp;";
        break;
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '"':
        result += "&quot;";
        break;
      case '\'':
        result += "&#39;";
        break;
      default:
        result += static_cast<unsigned char>(c) < 0x20 && c != '\n' ? ' ' : c;
    }
  }
  return result;
}

std::string element(const char* tag, const std::string& content, const char* of) {
  return *of == '\0' ? fmt::format("<{0}>{1}</{0}>\n", tag, content)
                     : fmt::format("<{0} class='{2}'>{1}</{0}>\n", tag, content, of);
}

namespace {

bool is_number(const std::string& text) {
  return !text.empty() && text.find_first_not_of("0123456789+-.eE") == std::string::npos;
}

}  // namespace

std::string html_table(const HtmlTable& table) {
  std::string head;
  for (const std::string& column : table.columns)
    head += "<th scope='col'>" + html(column) + "</th>";
  std::string body;
  for (const std::vector<std::string>& row : table.rows) {
    std::string cells;
    for (const std::string& cell : row)
      cells += (is_number(cell) ? "<td class='number'>" : "<td>") + html(cell) + "</td>";
    body += "<tr>" + cells + "</tr>\n";
  }
  const std::string caption =
      table.caption.empty() ? "" : "<caption>" + html(table.caption) + "</caption>";
  return "<div class='wide'><table>" + caption + "<thead><tr>" + head + "</tr></thead><tbody>\n" +
         body + "</tbody></table></div>\n";
}

std::string svg_image(const std::string& svg, const std::string& alternative) {
  return "<img src='data:image/svg+xml;base64," + base64(svg) + "' alt='" + html(alternative) +
         "'>\n";
}

std::string download(const std::string& bytes, const char* type, const std::string& name) {
  return fmt::format("<a class='download' download='{0}' href='data:{1};base64,{2}'>{0}</a>\n",
                     html(name), type, base64(bytes));
}

std::string details(const std::string& summary, const std::string& content) {
  return "<details><summary>" + html(summary) + "</summary>\n" + content + "</details>\n";
}

}  // namespace descramble
