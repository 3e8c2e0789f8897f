#include "descramble/core/error.h"

#include <gmock/gmock.h>

namespace descramble::test {
namespace {

TEST(Printable, KeepsCharactersAndEscapesAllElse) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"plain, ü, 漢, 😀", "plain, ü, 漢, 😀"},
      {"two\nlines\tand\r", "two lines and "},
      {"\x1b[31m", "\\x1b[31m"},
      {"\x7f", "\\x7f"},
      {"\xc2\x9b", "\\xc2\\x9b"},                    // a C1 control: CSI
      {"\xff", "\\xff"},                             // no UTF-8
      {"\xe6\xbc", "\\xe6\\xbc"},                    // cut off
      {"\xc0\xaf", "\\xc0\\xaf"},                    // too long for '/'
      {"\xe0\x80\xaf", "\\xe0\\x80\\xaf"},           // the same in three bytes
      {"\xf0\x80\x80\xaf", "\\xf0\\x80\\x80\\xaf"},  // and in four
      {"\xed\xa0\x80", "\\xed\\xa0\\x80"},           // a surrogate
      {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},  // beyond U+10FFFF
      {"\xe2\x80\xae", "\\xe2\\x80\\xae"},           // right-to-left override
      {"\xe2\x80\xa8", "\\xe2\\x80\\xa8"}};          // line separator
  for (const auto& [given, expected] : cases) EXPECT_EQ(printable(given), expected);
}

TEST(Complaints, AreOneLineOfBoundedLength) {
  const std::string endless(5000, 'x');
  const std::string line = to_line({endless, endless, endless, endless});
  EXPECT_LT(line.size(), 1600U);
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

}  // namespace
}  // namespace descramble::test
