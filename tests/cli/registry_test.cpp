// Walks every kind of every family that a config can name; nobody edits it for a new one.

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "descramble/core/error.h"
#include "experiment/config.h"

namespace descramble::test {
namespace {

using nlohmann::json;

struct Named {
  const KindFamily* family;
  const KindInfo* kind;
};

std::vector<Named> every_kind() {
  std::vector<Named> result;
  for (const KindFamily* family : all_families()) {
    for (const KindInfo& kind : family->kinds) result.push_back({family, &kind});
  }
  return result;
}

std::ostream& operator<<(std::ostream& out, const Named& named) {
  return out << named.family->title << ' ' << named.kind->name;
}

class EveryKind : public ::testing::TestWithParam<Named> {
 protected:
  const KindInfo& kind() const { return *GetParam().kind; }
  const KindFamily& family() const { return *GetParam().family; }
};

TEST_P(EveryKind, SaysWhatItIs) {
  EXPECT_FALSE(kind().summary.empty());
  for (const Field& field : kind().fields) EXPECT_FALSE(field.doc.empty()) << field.name;
  if (family().title == "objective") {
    EXPECT_FALSE(kind().formula.empty());
    EXPECT_FALSE(kind().source.empty());
  }
}

TEST_P(EveryKind, IsListedWithFieldsDefaultsFormulaAndSource) {
  std::ostringstream out;
  kinds_command(kind().name, false, out);
  EXPECT_THAT(out.str(), ::testing::HasSubstr(kind().summary));
  EXPECT_THAT(out.str(), ::testing::HasSubstr(kind().formula));
  EXPECT_THAT(out.str(), ::testing::HasSubstr(kind().source));
  for (const Field& field : kind().fields) {
    EXPECT_THAT(out.str(), ::testing::HasSubstr("    " + field.name));
    EXPECT_THAT(out.str(), ::testing::HasSubstr(field.doc));
    EXPECT_THAT(out.str(), ::testing::HasSubstr(field.fallback ? "default " + field.fallback->text
                                                               : "required"));
  }
}

TEST_P(EveryKind, HasDefaultsThatAreValid) {
  json value = {{"kind", kind().name}};
  bool complete = kind().exactly_one.empty();
  for (const Field& field : kind().fields) complete = complete && field.fallback.has_value();
  if (!complete) {
    EXPECT_THROW(resolve_kind(family(), value, "/x"), Error) << "a required field is missing";
    return;
  }
  const json resolved = resolve_kind(family(), value, "/x");
  EXPECT_EQ(resolve_kind(family(), resolved, "/x"), resolved);
}

TEST_P(EveryKind, RefusesAnUnknownKey) {
  json value = {{"kind", kind().name}, {"nonsense", 1}};
  EXPECT_THAT([&] { resolve_kind(family(), value, "/x"); },
              ::testing::ThrowsMessage<Error>(::testing::HasSubstr("/x/nonsense")));
}

INSTANTIATE_TEST_SUITE_P(, EveryKind, ::testing::ValuesIn(every_kind()), [](const auto& one) {
  return one.param.family->title + "_" + one.param.kind->name;
});

}  // namespace
}  // namespace descramble::test
