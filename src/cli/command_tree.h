#pragma once

#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace descramble {

/// An option or an argument, in the words of `--help`.
struct CommandOption {
  std::vector<std::string> names{};  ///< "-h", "--help"; of an argument its name
  std::string description{};
  std::string value{};                 ///< "TEXT"; empty: a flag
  std::vector<std::string> choices{};  ///< where only some values are allowed
  std::string fallback{};
  bool required = false;
  bool repeated = false;
};

/// A command as `--help` shows it, for all that must say the same: completions and the manual page.
struct CommandNode {
  std::vector<std::string> path{};  ///< {"study", "make"}; empty for the program itself
  std::string description{};
  std::string footer{};
  std::vector<CommandOption> options{};
  std::vector<CommandOption> arguments{};
  std::vector<CommandNode> commands{};
};

CommandNode command_tree(const CLI::App& app);

/// The words of the path with spaces between them.
std::string path_text(const CommandNode& node);

/// The command and all commands below it, each before its own.
std::vector<const CommandNode*> all_commands(const CommandNode& node);

}  // namespace descramble
