#include "cli/completion.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace descramble {

namespace {

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  for (std::size_t at = text.find(what); at != std::string::npos;
       at = text.find(what, at + by.size()))
    text.replace(at, what.size(), by);
  return text;
}

std::vector<std::string> names_of(const std::vector<CommandNode>& commands) {
  std::vector<std::string> names;
  for (const CommandNode& command : commands) names.push_back(command.path.back());
  return names;
}

/// The names of the options, of all or of those that take a value.
std::vector<std::string> names_of(const std::vector<CommandOption>& options, bool with_value_only) {
  std::vector<std::string> names;
  for (const CommandOption& option : options)
    if (!with_value_only || !option.value.empty())
      names.insert(names.end(), option.names.begin(), option.names.end());
  return names;
}

/// A text between single quotes of zsh, inside the brackets or behind the colon of a description.
std::string zsh_text(std::string text) {
  for (const char* special : {"[", "]", ":"})
    text = replaced(std::move(text), special, std::string("\\") + special);
  return replaced(std::move(text), "'", "'\\''");
}

std::string zsh_action(const CommandOption& option) {
  return option.choices.empty() ? "_files" : fmt::format("({})", fmt::join(option.choices, " "));
}

std::string zsh_function(const CommandNode& node) {
  std::string result = fmt::format(
      "_descramble{}() {{\n  local context state line\n"
      "  typeset -A opt_args\n  _arguments -C",
      node.path.empty() ? "" : replaced("_" + path_text(node), " ", "_"));
  for (const CommandOption& option : node.options) {
    for (const std::string& name : option.names) {
      result += fmt::format(
          " \\\n    '{}{}[{}]{}'", option.repeated ? "*" : "", name, zsh_text(option.description),
          option.value.empty() ? "" : ":" + option.value + ":" + zsh_action(option));
    }
  }
  if (node.commands.empty()) {
    std::size_t place = 0;
    for (const CommandOption& argument : node.arguments)
      result +=
          fmt::format(" \\\n    '{}:{}:{}'", argument.repeated ? "*" : std::to_string(++place),
                      zsh_text(argument.description), zsh_action(argument));
    return result + "\n}\n\n";
  }
  result +=
      " \\\n    '1: :->command' '*:: :->rest'\n  case $state in\n    command)\n"
      "      local -a commands=(\n";
  for (const CommandNode& command : node.commands)
    result += fmt::format("        '{}:{}'\n", command.path.back(), zsh_text(command.description));
  result += "      )\n      _describe command commands ;;\n    rest)\n      case $line[1] in\n";
  for (const CommandNode& command : node.commands)
    result += fmt::format("        {}) _descramble_{} ;;\n", command.path.back(),
                          replaced(path_text(command), " ", "_"));
  return result + "      esac ;;\n  esac\n}\n\n";
}

std::string fish_text(std::string text) {
  return "'" + replaced(replaced(std::move(text), "\\", "\\\\"), "'", "\\'") + "'";
}

/// The lines that follow the command's words into `path`, in the syntax of a shell's `case`.
std::string steps_into(const CommandNode& program,
                       fmt::format_string<std::string, std::string> line) {
  std::string result;
  for (const CommandNode* node : all_commands(program)) {
    for (const CommandNode& command : node->commands)
      result += fmt::format(line, path_text(*node) + " " + command.path.back(), path_text(command));
  }
  return result;
}

}  // namespace

std::string bash_completion(const CommandNode& program) {
  std::string result =
      "# Completion of descramble for bash, made by `descramble completion bash`.\n"
      "_descramble() {\n"
      "  local current=\"${COMP_WORDS[COMP_CWORD]}\" previous=\"${COMP_WORDS[COMP_CWORD - 1]}\"\n"
      "  local path=\"\" word commands=\"\" options=\"\" valued=\"\" choices=\"\"\n"
      "  for word in \"${COMP_WORDS[@]:1:COMP_CWORD - 1}\"; do\n"
      "    case \"$path $word\" in\n";
  result += steps_into(program, "      \"{}\") path=\"{}\" ;;\n");
  result += "    esac\n  done\n  case \"$path\" in\n";
  for (const CommandNode* node : all_commands(program)) {
    result += fmt::format(
        "    \"{}\")\n      commands=\"{}\"\n      options=\"{}\"\n"
        "      valued=\"{}\" ;;\n",
        path_text(*node), fmt::join(names_of(node->commands), " "),
        fmt::join(names_of(node->options, false), " "),
        fmt::join(names_of(node->options, true), " "));
  }
  result += "  esac\n  case \"$path $previous\" in\n";
  for (const CommandNode* node : all_commands(program)) {
    for (const CommandOption& option : node->options)
      if (!option.choices.empty())
        result += fmt::format("    \"{} {}\") choices=\"{}\" ;;\n", path_text(*node),
                              option.names.back(), fmt::join(option.choices, " "));
    for (const CommandOption& argument : node->arguments)
      if (!argument.choices.empty())
        result += fmt::format("    \"{} {}\") choices=\"{}\" ;;\n", path_text(*node),
                              node->path.back(), fmt::join(argument.choices, " "));
  }
  result +=
      "  esac\n"
      "  COMPREPLY=()\n"
      "  if [[ $current == -* ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$options\" -- \"$current\"))\n"
      "  elif [[ -n $choices ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$choices\" -- \"$current\"))\n"
      "  elif [[ \" $valued \" != *\" $previous \"* ]]; then\n"
      "    COMPREPLY=($(compgen -W \"$commands\" -- \"$current\"))\n"
      "  fi\n"
      "}\n"
      "# Where nothing of this fits, names of files are completed.\n"
      "complete -o bashdefault -o default -F _descramble descramble\n";
  return result;
}

std::string zsh_completion(const CommandNode& program) {
  std::string result =
      "#compdef descramble\n# Completion of descramble for zsh, made by `descramble completion "
      "zsh`.\n\n";
  for (const CommandNode* node : all_commands(program)) result += zsh_function(*node);
  return result +
         "# Loaded from a folder of $fpath this file is the function itself; read by `source` it "
         "only\n"
         "# announces it.\n"
         "if [[ $funcstack[1] == _descramble ]]; then\n  _descramble \"$@\"\nelse\n"
         "  compdef _descramble descramble\nfi\n";
}

std::string fish_completion(const CommandNode& program) {
  std::string result =
      "# Completion of descramble for fish, made by `descramble completion fish`.\n\n"
      "# Whether the words so far name this command.\n"
      "function __descramble_at\n"
      "  set -l path ''\n"
      "  for word in (commandline -opc)[2..-1]\n"
      "    switch \"$path $word\"\n";
  result += steps_into(program, "      case '{}'; set path '{}'\n");
  result += "    end\n  end\n  test \"$path\" = \"$argv[1]\"\nend\n";
  for (const CommandNode* node : all_commands(program)) {
    const std::string here =
        fmt::format("complete -c descramble -n \"__descramble_at '{}'\"", path_text(*node));
    result += '\n';
    for (const CommandNode& command : node->commands)
      result += fmt::format("{} -f -a {} -d {}\n", here, command.path.back(),
                            fish_text(command.description));
    for (const CommandOption& option : node->options) {
      std::string names;
      for (const std::string& name : option.names)
        names += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      std::string value;
      if (!option.choices.empty())
        value = fmt::format(" -x -a '{}'", fmt::join(option.choices, " "));
      else if (!option.value.empty())
        value = " -r";
      result += fmt::format("{}{}{} -d {}\n", here, names, value, fish_text(option.description));
    }
    for (const CommandOption& argument : node->arguments)
      if (!argument.choices.empty())
        result += fmt::format("{} -f -a '{}'\n", here, fmt::join(argument.choices, " "));
  }
  return result;
}

}  // namespace descramble
