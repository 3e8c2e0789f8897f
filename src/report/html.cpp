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
  return "<img src='data:image/svg+xml;base64," + base64(svg) + "' alt='" + markup(alternative) +
         "'>\n";
}

std::string download(const std::string& bytes, const char* type, const std::string& name) {
  return fmt::format("<a class='download' download='{0}' href='data:{1};base64,{2}'>{0}</a>\n",
                     markup(name), type, base64(bytes));
}

std::string details(const std::string& summary, const std::string& content) {
  return "<details><summary>" + markup(summary) + "</summary>\n" + content + "</details>\n";
}

}  // namespace descramble
