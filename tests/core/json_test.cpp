#include "descramble/core/json.h"

#include <cmath>
#include <fstream>
#include <limits>

#include <nlohmann/json.hpp>

#include "temporary_folder.h"
#include "throws.h"

namespace descramble::test {
namespace {

using nlohmann::json;

json parse(const std::string& text) {
  return parse_json(text, "config.json");
}
void expect_refused(const std::string& text, const std::string& part,
                    const std::string& place = "config.json") {
  EXPECT_THAT([&] { parse(text); }, ThrowsError(part, place)) << text;
}

TEST(StrictJson, ReadsEveryKindOfValue) {
  const json value =
      parse(R"( {"a": [1, -2, 3.5, 1e3, true, false, null, "\u00e9\n"], "b": {"c": {}}, "": []} )");
  EXPECT_EQ(value["a"].size(), 8U);
  EXPECT_TRUE(value["a"][0].is_number_unsigned());
  EXPECT_TRUE(value["a"][1].is_number_integer());
  EXPECT_TRUE(value["a"][2].is_number_float());
  EXPECT_EQ(value["a"][7], "é\n");
  EXPECT_TRUE(value["b"]["c"].empty());
  EXPECT_TRUE(value.contains(""));
  EXPECT_EQ(parse("3"), 3);
  EXPECT_EQ(parse("\"text\""), "text");
}

TEST(StrictJson, KeepsLargeIntegers) {
  EXPECT_EQ(parse("18446744073709551615").get<std::uint64_t>(), UINT64_MAX);
  EXPECT_EQ(parse("-9223372036854775808").get<std::int64_t>(), INT64_MIN);
  EXPECT_TRUE(parse("18446744073709551616").is_number_float())
      << "beyond 64 bits it is a real number";
}

TEST(StrictJson, RefusesDuplicateKeysWithTheirPointer) {
  expect_refused(R"({"a": 1, "a": 1})", "duplicate key 'a'", "config.json /a");
  expect_refused(R"({"x": [0, {"y/z": {"k": 1, "m": [], "k": 2}}]})", "duplicate key 'k'",
                 "config.json /x/1/y~1z/k");
  expect_refused(R"({"x": {"a": 1}, "y": 2, "x": 3})", "duplicate key 'x'", "config.json /x");
  expect_refused(R"([[], [{"a": {}, "a": {}}]])", "duplicate key 'a'", "config.json /1/0/a");
  expect_refused(R"({"a": 1, "\u0061": 2})", "duplicate key 'a'");
  EXPECT_EQ(parse(R"([{"a": 1}, {"a": 2}])").size(), 2U);
}

TEST(StrictJson, RefusesWhatIsNotJsonAndSaysWhere) {
  expect_refused("", "not valid JSON", "byte 1");
  expect_refused("{", "not valid JSON", "byte 2");
  expect_refused("{\n  \"a\": 1,\n  \"b\": oops\n}", "line 3", "config.json");
  expect_refused(R"({"a": 1,})", "not valid JSON");
  expect_refused(R"({"a": 1} x)", "not valid JSON");
  expect_refused(R"({'a': 1})", "not valid JSON");
  expect_refused("// comment\n{}", "not valid JSON");
  expect_refused(R"({"a": 01})", "not valid JSON");
  expect_refused(R"({"a": .5})", "not valid JSON");
  expect_refused("\"\xff\"", "not valid JSON");
  expect_refused("\"a\nb\"", "not valid JSON");
  expect_refused(std::string("{}\0{", 4), "not valid JSON", "byte 3");
  expect_refused(R"({"deep": [{"er": nope}]})", "not valid JSON", "config.json in /deep/0");
}

TEST(StrictJson, RefusesNumbersThatAreNone) {
  for (const std::string text : {"NaN", "nan", "Infinity", "-Infinity", "inf"})
    expect_refused("[" + text + "]", "not valid JSON");
  expect_refused(R"({"lr": [1e999]})", "1e999", "config.json in /lr");
  expect_refused(R"({"lr": -1e999})", "-1e999");
}

TEST(StrictJson, RefusesEndlessNesting) {
  expect_refused(std::string(100'000, '['), "nested too deeply");
  std::string objects;
  for (int i = 0; i < 10'000; ++i) objects += R"({"a":)";
  expect_refused(objects, "nested too deeply");
  EXPECT_NO_THROW(parse(std::string(100, '[') + std::string(100, ']')));
}

TEST(StrictJson, ErrorsAreOneLine) {
  try {
    parse("{\n\n  \"a\":\n x}");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
  }
}

TEST(ReadJson, NamesTheFile) {
  const TemporaryFolder folder;
  EXPECT_THAT([&] { read_json(folder / "none.json"); }, ThrowsError("no such file", "none.json"));
  EXPECT_THAT([&] { read_json(folder.path()); }, ThrowsError("cannot read", "a file", "a folder"));
  std::ofstream(folder / "bad.json") << "{\"a\": 1, \"a\": 2}";
  EXPECT_THAT([&] { read_json(folder / "bad.json"); },
              ThrowsError("duplicate key 'a'", (folder / "bad.json").string() + " /a"));
  std::ofstream(folder / "good.json") << "{\"a\": 1}\n";
  EXPECT_EQ(read_json(folder / "good.json"), json({{"a", 1}}));
}

TEST(WriteJson, SortsIndentsAndEndsWithANewline) {
  EXPECT_EQ(write_json({{"b", 1}, {"a", {0.1, "x"}}}, "r"),
            "{\n  \"a\": [\n    0.1,\n    \"x\"\n  ],\n  \"b\": 1\n}\n");
}

TEST(WriteJson, NumbersComeBackAsTheyWere) {
  for (const double value :
       {0.1, 1e-300, 1.7976931348623157e308, -0.0, 123456789.123456789, 4.9e-324}) {
    const double back = parse(write_json(value, "r")).get<double>();
    EXPECT_EQ(std::signbit(back), std::signbit(value));
    EXPECT_EQ(back, value);
  }
}

TEST(WriteJson, RefusesNonFiniteNumbersWithTheirPointer) {
  const double nan = std::nan("");
  const double infinity = std::numeric_limits<double>::infinity();
  const auto expect = [](const json& value, const std::string& place) {
    EXPECT_THAT([&] { write_json(value, "result.json"); },
                ThrowsWith<Failure>("non-finite number", place));
  };
  expect({{"a", {{"b/c", {1, nan}}}}}, "result.json /a/b~1c/1");
  expect({{"loss", infinity}}, "/loss");
  expect({{"loss", -infinity}}, "-inf");
  expect(nan, "result.json");
}

TEST(WriteJson, RefusesTextThatIsNotUtf8) {
  EXPECT_THAT(
      [] {
        write_json({{"path", "\xff\xfe"}}, "result.json");
      },
      ThrowsWith<Failure>("result.json", "UTF-8"));
}

TEST(Describe, IsShort) {
  EXPECT_EQ(describe(json::object()), "an object");
  EXPECT_EQ(describe({{"kind", "idx"}, {"a", 1}}), "an object of kind \"idx\"");
  EXPECT_EQ(describe({{"kind", {1, 2}}}), "an object");
  EXPECT_EQ(describe({1, 2, 3}), "a list of 3");
  EXPECT_EQ(describe("text"), "\"text\"");
  EXPECT_EQ(describe(3.7), "3.7");
  EXPECT_EQ(describe(true), "true");
  EXPECT_EQ(describe(nullptr), "null");
  EXPECT_LE(describe(std::string(100'000, 'x')).size(), 90U);
  EXPECT_NO_THROW(describe(json("\xff")));
}

TEST(SetByPointer, ReplacesAndAdds) {
  json config = parse(R"({"seed": 1, "steps": [{"kind": "a"}, {"kind": "b"}], "x/y": {"~": 0}})");
  set_by_pointer(config, "/seed=7");
  set_by_pointer(config, "/steps/1/kind=descramble");
  set_by_pointer(config, "/steps/0/objective={\"kind\": \"smoothness\"}");
  set_by_pointer(config, "/steps/-={\"kind\": \"c\"}");
  set_by_pointer(config, "/x~1y/~0=[1, 2]");
  set_by_pointer(config, "/name=a=b");
  set_by_pointer(config, "/text=\"7\"");
  set_by_pointer(config, "/empty=");
  EXPECT_EQ(config,
            parse(R"({"seed": 7, "steps": [{"kind": "a", "objective": {"kind": "smoothness"}},
      {"kind": "descramble"}, {"kind": "c"}], "x/y": {"~": [1, 2]}, "name": "a=b", "text": "7", "empty": ""})"));
}

TEST(SetByPointer, RefusesWhatIsNoAssignmentOrPlace) {
  const json config = parse(R"({"seed": 1, "steps": [{}]})");
  const auto expect = [&](const std::string& assignment, const std::string& what,
                          const std::string& part) {
    json copy = config;
    EXPECT_THAT([&] { set_by_pointer(copy, assignment); }, ThrowsError(what, "--set", part))
        << assignment;
    EXPECT_EQ(copy, config) << assignment;
  };
  for (const std::string text : {"", "seed=1", "/seed", "=1"})
    expect(text, "bad assignment", "POINTER=VALUE");
  expect("/a/b=1", "no such place", "--set /a/b");
  expect("/seed/b=1", "cannot set a member", "an object or list");
  expect("/steps/1=1", "no such place", "/steps/1");
  expect("/steps/01=1", "no such place", "/steps/01");
  expect("/steps/x=1", "no such place", "/steps/x");
  expect("/steps/-1=1", "no such place", "/steps/-1");
  expect("/a~2=1", "no such place", "/a~2");
  expect("/seed={\"a\": 1, \"a\": 2}", "duplicate key 'a'", "--set /seed");
}

TEST(JoinPointer, EscapesAsRfc6901Has) {
  EXPECT_EQ(join_pointer("", "a"), "/a");
  EXPECT_EQ(join_pointer("/a", "b/c~d"), "/a/b~1c~0d");
  EXPECT_EQ(join_pointer("/a", ""), "/a/");
}

}  // namespace
}  // namespace descramble::test
