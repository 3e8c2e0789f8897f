#include <chrono>
#include <functional>
#include <memory>
#include <sstream>

#include <gmock/gmock.h>
#include <signal.h>
#include <unistd.h>

#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"
#include "descramble/core/progress.h"
#include "descramble/core/version.h"

namespace descramble::test {
namespace {

TEST(ErrorLine, SaysWhatWhereExpectedFound) {
  EXPECT_EQ(to_line({"unknown tap 'fc9'", "/steps/0/tap", "one of 'fc1'", "'fc9'"}),
            "unknown tap 'fc9' (/steps/0/tap): expected one of 'fc1', found 'fc9'");
  EXPECT_EQ(to_line({"no such file", "x.pt"}), "no such file (x.pt)");
  EXPECT_EQ(to_line({"a", "", "b"}), "a: expected b");
  EXPECT_EQ(to_line({"a", "", "", "c"}), "a: found c");
  EXPECT_EQ(to_line({"a\nb", "c\nd", "e\n", "f"}), "a b (c d): expected e , found f");
  EXPECT_STREQ(Error("plain").what(), "plain");
  EXPECT_STREQ(Failure({"disk", "x"}).what(), "disk (x)");
  EXPECT_EQ(Error({"a", "b", "c", "d"}).complaint().found, "d");
}

TEST(ErrorLine, OfLibTorchIsCutBeforeItsStack) {
  EXPECT_EQ(first_line("expected 4 channels\nException raised from x at y\n frame #0"),
            "expected 4 channels");
  EXPECT_EQ(
      first_line("bad size (Exception raised from check at a.cpp:3 (most recent call first):"),
      "bad size");
  EXPECT_EQ(first_line("\n  late start\nrest"), "late start");
  EXPECT_EQ(first_line(""), "");
}

TEST(Nearest, FindsWhatWasMeant) {
  const std::vector<std::string> names{"fc1",        "fc2",         "act1",
                                       "features.3", "features.12", "classifier.1"};
  EXPECT_EQ(nearest("fc9", names, 2), (std::vector<std::string>{"fc1", "fc2"}));
  EXPECT_EQ(nearest("featurs.3", names, 1), std::vector<std::string>{"features.3"});
  EXPECT_EQ(nearest("classifier", names, 1), std::vector<std::string>{"classifier.1"});
  EXPECT_EQ(nearest("fc1", names, 1), std::vector<std::string>{"fc1"})
      << "the name itself comes before those near it";
  EXPECT_EQ(nearest("x", names).size(), 3U);
  EXPECT_EQ(nearest("x", names, 100).size(), names.size());
  EXPECT_TRUE(nearest("x", {}).empty());
  EXPECT_EQ(nearest("", names, 1).size(), 1U);
}

TEST(QuotedList, Quotes) {
  EXPECT_EQ(quoted_list({"a", "b"}), "'a', 'b'");
  EXPECT_EQ(quoted_list({}), "");
}

/// A clock that stands still until it is moved.
class HandClock {
 public:
  void move(std::chrono::milliseconds by) { *now_ += by; }
  std::function<Progress::Clock::time_point()> reader() const {
    return [now = now_] { return *now; };
  }

 private:
  std::shared_ptr<Progress::Clock::time_point> now_ =
      std::make_shared<Progress::Clock::time_point>();
};

TEST(ProgressOutput, IsABarOnATerminal) {
  std::ostringstream out;
  HandClock clock;
  {
    Progress progress(out, Progress::Style::bar, clock.reader());
    progress.begin("fc1", 10);
    progress.advance();
    EXPECT_EQ(out.str(), "") << "nothing flickers by for work that is short";
    clock.move(std::chrono::milliseconds(99));
    progress.advance();
    EXPECT_EQ(out.str(), "");
    clock.move(std::chrono::milliseconds(1));
    progress.advance(3);
    EXPECT_THAT(out.str(),
                ::testing::AllOf(::testing::StartsWith("\r"), ::testing::HasSubstr("fc1 [====="),
                                 ::testing::HasSubstr(" 50 %"), ::testing::HasSubstr("s left")));
    EXPECT_EQ(out.str().find('\n'), std::string::npos);
    progress.say("epoch 1");
    EXPECT_THAT(out.str(), ::testing::EndsWith("\r\033[Kepoch 1\n"));
    out.str("");
  }
  EXPECT_EQ(out.str(), "\r\033[K") << "the bar is wiped at the end";
}

TEST(ProgressOutput, IsPlainLinesElsewhere) {
  std::ostringstream out;
  HandClock clock;
  Progress progress(out, Progress::Style::lines, clock.reader());
  progress.begin("fc1", 10);
  for (int i = 0; i < 5; ++i) progress.advance();
  clock.move(std::chrono::milliseconds(4999));
  progress.advance(0);
  EXPECT_EQ(out.str(), "");
  clock.move(std::chrono::milliseconds(1));
  progress.advance(0);
  EXPECT_EQ(out.str(), "fc1: 50 %, 5 s left\n");
  out.str("");
  clock.move(std::chrono::seconds(5));
  progress.advance(20);
  progress.advance();
  progress.say("done");
  progress.end();
  EXPECT_THAT(out.str(), ::testing::MatchesRegex("fc1: 100 %, 0 s left\ndone\n"))
      << "never beyond 100 %";
}

TEST(ProgressOutput, IsNothingWhenQuiet) {
  std::ostringstream out;
  Progress progress(out, Progress::Style::quiet);
  progress.begin("fc1", 0);
  progress.advance();
  progress.say("x");
  progress.end();
  EXPECT_EQ(out.str(), "");
  Progress silent;
  silent.begin("x", 3);
  silent.advance();
  silent.say("y");
}

TEST(Interrupts, AreSeenByLoops) {
  const InterruptScope scope;
  EXPECT_FALSE(interrupt_requested());
  EXPECT_NO_THROW(check_interrupt());
  for (const int number : {SIGINT, SIGTERM}) {
    ::raise(number);
    EXPECT_TRUE(interrupt_requested());
    EXPECT_THROW(check_interrupt(), Interrupted);
    clear_interrupt();
  }
  request_interrupt();
  EXPECT_THROW(check_interrupt(), Interrupted);
  clear_interrupt();
}

TEST(Interrupts, GiveTheFormerHandlersBack) {
  struct sigaction before {};
  struct sigaction after {};
  ::sigaction(SIGINT, nullptr, &before);
  {
    const InterruptScope outer;
    {
      const InterruptScope inner;
      request_interrupt();
    }
    EXPECT_TRUE(interrupt_requested()) << "an inner scope does not forget what was asked for";
    clear_interrupt();
    ::raise(SIGINT);
    EXPECT_TRUE(interrupt_requested()) << "the outer scope still listens";
  }
  ::sigaction(SIGINT, nullptr, &after);
  EXPECT_EQ(before.sa_handler, after.sa_handler);
  clear_interrupt();
}

TEST(InterruptsDeathTest, EndTheProcessTheSecondTime) {
  const auto twice = [] {
    const InterruptScope scope;
    ::raise(SIGINT);
    ::raise(SIGINT);
    ::_exit(0);
  };
  EXPECT_EXIT(twice(), ::testing::KilledBySignal(SIGINT), "");
}

TEST(Version, IsStated) {
  EXPECT_EQ(version(), DESCRAMBLE_VERSION);
  EXPECT_THAT(libtorch_version(), ::testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
}

}  // namespace
}  // namespace descramble::test
