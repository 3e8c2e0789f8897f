#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "descramble/plot/figure.h"

namespace descramble {

/// Rows for `<name>.csv`.
struct Table {
  using Cell = std::variant<std::string, std::int64_t, double>;

  std::string name{};
  std::vector<std::string> columns{};
  std::vector<std::vector<Cell>> rows{};
};

/// A figure for `<name>.svg`.
struct NamedFigure {
  std::string name{};
  Drawing figure{};
};

/// RFC 4180 with a header line; numbers in the shortest form that reads back as the same value.
/// @throws Failure naming the column for a number that is not finite
std::string to_csv(const Table& table);

}  // namespace descramble
