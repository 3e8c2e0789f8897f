#include "results/table.h"

#include <cmath>

#include <fmt/format.h>

#include "descramble/core/error.h"

namespace descramble {

namespace {

std::string escaped(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + "\"";
}

}  // namespace

std::string to_csv(const Table& table) {
  std::string text;
  const auto add = [&text](std::size_t column, const std::string& cell) {
    text += (column == 0 ? "" : ",") + escaped(cell);
  };
  for (std::size_t i = 0; i < table.columns.size(); ++i) add(i, table.columns[i]);
  text += '\n';
  for (const std::vector<Table::Cell>& row : table.rows) {
    if (row.size() != table.columns.size()) {
      throw Failure({"a row of the wrong length", table.name + ".csv",
                     fmt::format("{} cells", table.columns.size()), fmt::format("{}", row.size())});
    }
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (const double* number = std::get_if<double>(&row[i]);
          number != nullptr && !std::isfinite(*number)) {
        throw Failure({"a number is not finite", table.name + ".csv, column " + table.columns[i],
                       "a finite number", fmt::format("{}", *number)});
      }
      add(i, std::visit([](const auto& cell) { return fmt::format("{}", cell); }, row[i]));
    }
    text += '\n';
  }
  return text;
}

}  // namespace descramble
