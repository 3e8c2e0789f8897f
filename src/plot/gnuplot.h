#pragma once

#include <string>

#include "descramble/plot/figure.h"

namespace descramble {

/// The figure as gnuplot commands, data inline. @throws Error for a figure that cannot be drawn
std::string gnuplot_script(const Figure& figure);

/// A gnuplot string in single quotes, where nothing is special but the quote itself. Control
/// characters become spaces.
std::string quoted(const std::string& text);

/// What gnuplot prints when it is given `script`. No shell, no user settings, no files.
/// @throws Failure when it is missing or complains
std::string run_gnuplot(const std::string& script);

}  // namespace descramble
