#include "cli/command_tree.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

namespace descramble {

namespace {

/// CLI11 writes the values that are allowed behind the type: "TEXT:{random,shuffled}".
std::vector<std::string> choices_in(const std::string& type) {
  const auto begin = type.find('{');
  const auto end = type.find('}');
  if (begin == std::string::npos || end == std::string::npos) return {};
  return CLI::detail::split(type.substr(begin + 1, end - begin - 1), ',');
}

CommandOption option_of(const CLI::Option& option) {
  CommandOption result{
      .description = option.get_description(),
      .fallback = option.get_default_str(),
      .required = option.get_required(),
      .repeated = option.get_expected_max() > 1 ||
                  option.get_multi_option_policy() == CLI::MultiOptionPolicy::TakeAll};
  if (option.get_positional()) {
    result.names.push_back(option.get_name(true));
  } else {
    for (const std::string& name : option.get_snames()) result.names.push_back("-" + name);
    for (const std::string& name : option.get_lnames()) result.names.push_back("--" + name);
  }
  if (option.get_type_size() != 0) {
    const std::string type = option.get_type_name();
    result.choices = choices_in(type);
    result.value = type.substr(0, type.find_first_of(":"));
  }
  return result;
}

CommandNode node_of(const CLI::App& app, const std::vector<std::string>& path) {
  CommandNode node{.path = path, .description = app.get_description(), .footer = app.get_footer()};
  for (const CLI::Option* option : app.get_options({}))
    (option->get_positional() ? node.arguments : node.options).push_back(option_of(*option));
  for (const CLI::App* command : app.get_subcommands({})) {
    std::vector<std::string> inner = path;
    inner.push_back(command->get_name());
    node.commands.push_back(node_of(*command, inner));
  }
  return node;
}

}  // namespace

CommandNode command_tree(const CLI::App& app) {
  return node_of(app, {});
}

std::string path_text(const CommandNode& node) {
  return fmt::format("{}", fmt::join(node.path, " "));
}

std::vector<const CommandNode*> all_commands(const CommandNode& node) {
  std::vector<const CommandNode*> found{&node};
  for (const CommandNode& command : node.commands)
    for (const CommandNode* one : all_commands(command)) found.push_back(one);
  return found;
}

}  // namespace descramble
