#pragma once

#include <string>
#include <vector>

namespace descramble {

/// <tag class='of'>content</tag>; the content is HTML already.
std::string element(const char* tag, const std::string& content, const char* of = "");

/// A table with a caption. Cells are texts; columns of numbers are set right.
struct HtmlTable {
  std::string caption{};
  std::vector<std::string> columns{};
  std::vector<std::vector<std::string>> rows{};
};
std::string html_table(const HtmlTable& table);

/// A picture that holds its bytes, with what it shows for those who do not see it.
std::string svg_image(const std::string& svg, const std::string& alternative);

/// A link that saves the bytes under that name; it works without a script.
std::string download(const std::string& bytes, const char* type, const std::string& name);

/// Closed until it is opened.
std::string details(const std::string& summary, const std::string& content);

}  // namespace descramble
