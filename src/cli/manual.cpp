#include "cli/manual.h"

#include <cctype>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/version.h"

namespace descramble {

namespace {

/// A text as it is: a backslash, a hyphen, and a dot or a quote at the start mean something else.
std::string roff(const std::string& text) {
  std::string result;
  for (const char letter : text) {
    if (letter == '\\')
      result += "\\e";
    else if (letter == '-')
      result += "\\-";
    else if (letter == '\'')
      result += "\\(aq";
    else
      result += letter;
  }
  return result.starts_with('.') ? "\\&" + result : result;
}

std::string bold(const std::string& text) {
  return "\\fB" + roff(text) + "\\fR";
}

std::string italic(const std::string& text) {
  return "\\fI" + roff(text) + "\\fR";
}

/// What the command takes, as a line: "descramble run config --out TEXT [OPTIONS]".
std::string usage(const CommandNode& node) {
  std::string result = bold(node.path.empty() ? "descramble" : "descramble " + path_text(node));
  if (!node.commands.empty()) return result + " " + italic("command") + " ...";
  for (const CommandOption& argument : node.arguments) {
    const std::string text = italic(argument.names.front()) + (argument.repeated ? " ..." : "");
    result += argument.required ? " " + text : " [" + text + "]";
  }
  for (const CommandOption& option : node.options)
    if (option.required) result += " " + bold(option.names.back()) + " " + italic(option.value);
  return result + " [" + italic("options") + "]";
}

std::string entry(const CommandOption& option, bool argument) {
  std::vector<std::string> names;
  for (const std::string& name : option.names)
    names.push_back(argument ? italic(name) : bold(name));
  std::string result = fmt::format(".TP\n{}", fmt::join(names, ", "));
  if (!argument && !option.value.empty()) result += " " + italic(option.value);
  result += "\n" + roff(option.description);
  if (!option.choices.empty())
    result += fmt::format(": {}", roff(fmt::format("{}", fmt::join(option.choices, ", "))));
  if (!option.fallback.empty()) result += " (default " + roff(option.fallback) + ")";
  if (option.required && !argument) result += " (required)";
  return result + "\n";
}

}  // namespace

std::string manual_page(const CommandNode& program) {
  std::string summary = program.description;
  if (summary.ends_with('.')) summary.pop_back();
  if (!summary.empty())
    summary.front() = static_cast<char>(std::tolower(static_cast<unsigned char>(summary.front())));
  std::string page = fmt::format(
      ".TH DESCRAMBLE 1 \"\" \"descramble {}\" \"User Commands\"\n.SH NAME\ndescramble \\- {}\n"
      ".SH SYNOPSIS\n{}\n.SH OPTIONS\n",
      version(), roff(summary), usage(program));
  for (const CommandOption& option : program.options) page += entry(option, false);
  page += ".SH COMMANDS\n";
  for (const CommandNode* node : all_commands(program)) {
    if (node == &program) continue;
    page += fmt::format(".SS {}\n{}\n.PP\n{}.\n", roff(path_text(*node)), usage(*node),
                        roff(node->description));
    for (const CommandOption& argument : node->arguments) page += entry(argument, true);
    for (const CommandOption& option : node->options)
      if (option.names.back() != "--help") page += entry(option, false);
  }
  if (!program.footer.empty()) page += ".SH NOTES\n" + roff(program.footer) + "\n";
  return page;
}

}  // namespace descramble
