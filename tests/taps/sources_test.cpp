// Which points a point's value is computed from: what a map of the network shows.

#include <map>

#include <gmock/gmock.h>

#include "descramble/taps/point.h"
#include "model/fixtures.h"

namespace descramble::test {

namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

std::map<std::string, std::vector<std::string>> sources_in(const std::string& fixture) {
  std::map<std::string, std::vector<std::string>> sources;
  for (const TapPoint& point : list_taps(Fixture{.name = fixture}.load()))
    sources[point.name] = point.from;
  return sources;
}

TEST(Sources, OfBranchesThatMeet) {
  auto sources = sources_in("cat_blocks");
  EXPECT_THAT(sources["input"], IsEmpty());
  EXPECT_THAT(sources["features.0"], ElementsAre("input"));
  EXPECT_THAT(sources["features.1.cat"], UnorderedElementsAre("features.1.expand1x1_activation",
                                                              "features.1.expand3x3_activation"));
  EXPECT_THAT(sources["features.1"], ElementsAre("features.1.cat"));
}

TEST(Sources, OfSkipConnections) {
  auto sources = sources_in("many_residuals");
  EXPECT_THAT(sources["add"], UnorderedElementsAre("input", "mul"));
  EXPECT_THAT(sources["add_1"], UnorderedElementsAre("add", "mul_1"));
}

TEST(Sources, ThroughControlFlowAndTuples) {
  EXPECT_THAT(sources_in("if_branch")["head"], UnorderedElementsAre("relu", "tanh"));
  // What goes round in the loop, and what goes into it.
  EXPECT_THAT(sources_in("for_loop")["fc"], UnorderedElementsAre("input", "add"));
  EXPECT_THAT(sources_in("lstm")["slice"], ElementsAre("lstm.0"));
}

TEST(Sources, OfWhatIsWrittenInBetween) {
  // A list grows, and each cat takes all of it.
  EXPECT_THAT(sources_in("list_mutation")["cat_3"],
              UnorderedElementsAre("input", "relu", "relu_1", "relu_2"));
  // The value of a layer is changed in place before the next one reads it.
  EXPECT_THAT(sources_in("inplace_relu_functional")["fc2"], ElementsAre("add"));
  EXPECT_THAT(sources_in("mutated_view")["fc2"], ElementsAre("relu"));
}

/// Points come after what they are computed from, but for what goes round in a loop.
TEST(Sources, ComeBeforeInEveryFixture) {
  for (const Fixture& fixture : fixtures()) {
    if (!fixture.opens()) continue;
    SCOPED_TRACE(fixture.name);
    std::set<std::string> met;
    for (const TapPoint& point : list_taps(fixture.load())) {
      if (point.kind == "output") {
        EXPECT_THAT(point.from, Not(IsEmpty()));
      }
      for (const std::string& source : point.from)
        EXPECT_TRUE(point.in_control_flow || met.contains(source)) << point.name << " " << source;
      met.insert(point.name);
    }
  }
}

}  // namespace

}  // namespace descramble::test
