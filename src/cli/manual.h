#pragma once

#include <string>

#include "cli/command_tree.h"

namespace descramble {

/// The page of the manual, section 1, in the language of man(7).
std::string manual_page(const CommandNode& program);

}  // namespace descramble
