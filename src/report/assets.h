#pragma once

#include <string_view>

namespace descramble {

/// Files that the build has put into the program (cmake/DescrambleAssets.cmake).
std::string_view asset_d3();
std::string_view asset_plot();
std::string_view asset_page_script();
std::string_view asset_page_style();
std::string_view asset_study_script();

}  // namespace descramble
