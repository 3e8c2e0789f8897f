#include "descramble/config/settings.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "descramble/config/kind.h"
#include "throws.h"

namespace descramble::test {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::Optional;

Settings example() {
  return json{{"kind", "example"},
              {"text", "word"},
              {"number", 1.5},
              {"integer", -3},
              {"large", UINT64_MAX},
              {"flag", true},
              {"names", {"a", "b"}},
              {"integers", {1, 2}},
              {"numbers", {1, 2.5}},
              {"group", {{"inner", {{"depth", 2}}}}},
              {"groups", {{{"depth", 1}}, {{"depth", 2}}}},
              {"nothing", nullptr}};
}

TEST(Settings, GivesEachValueAsItsType) {
  const Settings settings = example();
  EXPECT_EQ(settings.kind(), "example");
  EXPECT_EQ(settings.text("text"), "word");
  EXPECT_EQ(settings.number("number"), 1.5);
  EXPECT_EQ(settings.number("integer"), -3);
  EXPECT_EQ(settings.number("large"), static_cast<double>(UINT64_MAX));
  EXPECT_EQ(settings.integer("integer"), -3);
  EXPECT_TRUE(settings.flag("flag"));
  EXPECT_THAT(settings.integers("integers"), ElementsAre(1, 2));
  EXPECT_THAT(settings.numbers("numbers"), ElementsAre(1, 2.5));
}

TEST(Settings, TakesOneTextForAListOfOne) {
  EXPECT_THAT(example().texts("names"), ElementsAre("a", "b"));
  EXPECT_THAT(example().texts("text"), ElementsAre("word"));
}

TEST(Settings, GivesNothingForNull) {
  const Settings settings = example();
  EXPECT_EQ(settings.find_text("nothing"), std::nullopt);
  EXPECT_EQ(settings.find_number("nothing"), std::nullopt);
  EXPECT_EQ(settings.find_integer("nothing"), std::nullopt);
  EXPECT_EQ(settings.find_flag("nothing"), std::nullopt);
  EXPECT_EQ(settings.find_texts("nothing"), std::nullopt);
  EXPECT_EQ(settings.find_integers("nothing"), std::nullopt);
  EXPECT_EQ(settings.find_numbers("nothing"), std::nullopt);
  EXPECT_FALSE(settings.group("nothing").has_value());
  EXPECT_THAT(settings.find_text("text"), Optional(std::string("word")));
  EXPECT_THAT(settings.find_number("number"), Optional(1.5));
  EXPECT_THAT(settings.find_integer("integer"), Optional(-3));
  EXPECT_THAT(settings.find_flag("flag"), Optional(true));
  EXPECT_THAT(settings.find_texts("names"), Optional(ElementsAre("a", "b")));
  EXPECT_THAT(settings.find_integers("integers"), Optional(ElementsAre(1, 2)));
  EXPECT_THAT(settings.find_numbers("numbers"), Optional(ElementsAre(1, 2.5)));
}

TEST(Settings, KnowsWhetherANameIsThere) {
  EXPECT_TRUE(example().has("text"));
  EXPECT_TRUE(example().has("nothing"));
  EXPECT_FALSE(example().has("other"));
}

TEST(Settings, GroupsOutliveTheWhole) {
  const auto [inner, groups] = [] {
    const Settings whole = example();
    return std::pair(whole.group("group")->group("inner"), whole.groups("groups"));
  }();
  ASSERT_TRUE(inner.has_value());
  EXPECT_EQ(inner->integer("depth"), 2);
  ASSERT_EQ(groups.size(), 2U);
  EXPECT_EQ(groups[1].integer("depth"), 2);
}

TEST(Settings, NamesWhatIsNotThere) {
  EXPECT_THAT([] { example().text("wrd"); }, ThrowsError("no setting 'wrd'", "'text'"));
  EXPECT_THAT([] { example().find_number("wrd"); }, ThrowsError("no setting 'wrd'"));
  EXPECT_THAT([] { example().group("wrd"); }, ThrowsError("no setting 'wrd'"));
  EXPECT_THAT([] { Settings(json::object()).kind(); }, ThrowsError("no setting 'kind'"));
}

TEST(Settings, NamesWhatHasAnotherType) {
  const Settings settings = example();
  const auto refused = [&settings](const char* name, const char* expected, const auto& get) {
    EXPECT_THAT([&] { get(settings, name); },
                ThrowsError("setting '" + std::string(name) + "' of another type", expected));
  };
  refused("flag", "a string", [](const Settings& s, const char* n) { s.text(n); });
  refused("text", "a number", [](const Settings& s, const char* n) { s.number(n); });
  refused("number", "an integer", [](const Settings& s, const char* n) { s.integer(n); });
  refused("large", "an integer", [](const Settings& s, const char* n) { s.integer(n); });
  refused("integer", "true or false", [](const Settings& s, const char* n) { s.flag(n); });
  refused("flag", "a list", [](const Settings& s, const char* n) { s.texts(n); });
  refused("numbers", "an integer", [](const Settings& s, const char* n) { s.integers(n); });
  refused("names", "a number", [](const Settings& s, const char* n) { s.numbers(n); });
  refused("text", "an object", [](const Settings& s, const char* n) { s.group(n); });
  refused("group", "a list of objects", [](const Settings& s, const char* n) { s.groups(n); });
  refused("integers", "an object", [](const Settings& s, const char* n) { s.groups(n); });
  refused("nothing", "a string", [](const Settings& s, const char* n) { s.text(n); });
  refused("text", "an integer", [](const Settings& s, const char* n) { s.find_integer(n); });
  EXPECT_THAT([] { Settings(json::array()); },
              ThrowsError("settings of another type", "an object"));
}

TEST(Settings, AreWrittenByAProgram) {
  const std::string path = "images";
  const SettingValues values = {{"kind", "example"},
                                {"path", path},
                                {"flag", true},
                                {"count", 3},
                                {"share", 0.5},
                                {"mean", std::vector<double>{0.25, 1}},
                                {"inputs", std::vector<std::string>{"a"}},
                                {"train", settings_of({{"depth", 2}})}};
  EXPECT_EQ(settings_of(values).json(), (json{{"kind", "example"},
                                              {"path", "images"},
                                              {"flag", true},
                                              {"count", 3},
                                              {"share", 0.5},
                                              {"mean", {0.25, 1.0}},
                                              {"inputs", json::array({"a"})},
                                              {"train", {{"depth", 2}}}}));
  EXPECT_EQ(settings_of({}).json(), json::object());
}

TEST(IsNull, TellsNullFromAllElse) {
  EXPECT_TRUE(is_null(nullptr));
  EXPECT_FALSE(is_null(json::object()));
}

TEST(Settings, AreResolvedAgainstAFamily) {
  const KindFamily family{
      .title = "shape",
      .kinds = {{.name = "circle",
                 .fields = {{.name = "radius", .type = FieldType::number, .fallback = 2}}}}};
  const Settings settings = resolve_settings(family, {{"kind", "circle"}}, "/shape");
  EXPECT_EQ(settings.number("radius"), 2);
  EXPECT_EQ(settings.json(), (json{{"kind", "circle"}, {"radius", 2}}));
  EXPECT_THAT(
      [&] {
        resolve_settings(family, {{"kind", "square"}}, "/shape");
      },
      ThrowsError("unknown kind", "/shape/kind", "'circle'", "square"));
}

}  // namespace
}  // namespace descramble::test
