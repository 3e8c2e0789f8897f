#pragma once

#include <string>

#include "cli/command_tree.h"

namespace descramble {

/// Scripts that complete commands, options and the values of those with few: for the folders of
/// completions of each shell, or to be read by a running one.
std::string bash_completion(const CommandNode& program);
std::string zsh_completion(const CommandNode& program);
std::string fish_completion(const CommandNode& program);

}  // namespace descramble
