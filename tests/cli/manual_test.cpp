#include <regex>
#include <string>

#include <gmock/gmock.h>

#include "cli/command.h"

namespace descramble::test {

namespace {

/// The page without fonts and escapes.
std::string plain(std::string page) {
  page = std::regex_replace(page, std::regex(R"(\\f[BIR])"), "");
  return std::regex_replace(page, std::regex(R"(\\-)"), "-");
}

/// The names that the help lists at the start of its lines, behind that heading.
std::vector<std::string> listed(const std::string& help, const std::string& pattern) {
  std::vector<std::string> names;
  const std::regex line("(?:^|\n)  " + pattern);
  for (std::sregex_iterator at(help.begin(), help.end(), line), end; at != end; ++at)
    names.push_back((*at)[1]);
  return names;
}

std::string section(const std::string& page, const std::string& command) {
  const auto begin = page.find("\n.SS " + command + "\n");
  return begin == std::string::npos ? ""
                                    : page.substr(begin, page.find("\n.SS", begin + 1) - begin);
}

}  // namespace

TEST(Manual, HasEveryCommandAndOptionOfTheHelp) {
  const std::string page = plain(command({"man"}).out);
  const std::string help = command({"--help"}).out;
  const auto commands = listed(help.substr(help.find("Subcommands:")), R"(([a-z]+)  +\S)");
  EXPECT_GT(commands.size(), 10u);
  for (const std::string& name : commands) {
    const std::string text = section(page, name);
    EXPECT_NE(text, "") << name;
    for (const std::string& option : listed(command({name, "--help"}).out, "(--[a-z]+)"))
      EXPECT_NE(text.find("\n" + option), std::string::npos) << name << ' ' << option;
  }
  EXPECT_NE(page.find("Exit codes: 0 done"), std::string::npos);
}

TEST(Manual, HasTheCommandsOfCommands) {
  const std::string page = plain(command({"man"}).out);
  EXPECT_NE(section(page, "study make").find("shuffled, random"), std::string::npos) << page;
  EXPECT_NE(section(page, "study serve").find("--port"), std::string::npos);
}

TEST(Completion, KnowsTheShells) {
  for (const std::string shell : {"bash", "fish", "zsh"})
    EXPECT_NE(command({"completion", shell}).out.find("serve"), std::string::npos) << shell;
  const Outcome refused = command({"completion", "csh"});
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("csh"), std::string::npos);
}

}  // namespace descramble::test
