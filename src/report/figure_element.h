#pragma once

#include <string>

#include <nlohmann/json.hpp>

namespace descramble {

/// A figure of the page: a picture that needs no script, its numbers as a table where they are not
/// too many, and the place where the page's script tells them.
struct FigureElement {
  std::string name{};  ///< under which the page's data has the numbers
  std::string svg{};
  std::string caption{};
  std::string alternative{};  ///< for those who do not see it
  nlohmann::json data{};      ///< as `figure_data` makes it; null: unknown
  bool wide = false;          ///< scrolls sideways on a narrow screen
};

/// HTML. The data goes to the end of `shown`, the page's data of that run.
/// @throws Error for data that no figure has
std::string figure_element(const FigureElement& figure, std::size_t run, nlohmann::json& shown);

}  // namespace descramble
