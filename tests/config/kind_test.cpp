#include "descramble/config/kind.h"

#include <nlohmann/json.hpp>

#include "descramble/core/json.h"
#include "throws.h"

namespace descramble::test {
namespace {

using nlohmann::json;

const KindFamily& shapes() {
  static const KindFamily family{.title = "shape",
                                 .common = {{.name = "colour",
                                             .type = FieldType::string,
                                             .doc = "its colour",
                                             .fallback = "red"}},
                                 .kinds = {{.name = "circle",
                                            .summary = "Round",
                                            .fields = {{.name = "radius",
                                                        .type = FieldType::number,
                                                        .doc = "metres",
                                                        .minimum = 0,
                                                        .above_minimum = true}}},
                                           {.name = "square",
                                            .summary = "Not round",
                                            .fields = {{.name = "side",
                                                        .type = FieldType::integer,
                                                        .doc = "metres",
                                                        .fallback = 2,
                                                        .minimum = 1,
                                                        .maximum = 9}}}}};
  return family;
}

const FieldSet& frame() {
  static const FieldSet set{"frame",
                            {{.name = "width", .type = FieldType::integer, .fallback = 1},
                             {.name = "wood", .type = FieldType::string}}};
  return set;
}

/// A value of the field 'x', at the pointer /a/x.
json resolve(Field field, const json& value) {
  field.name = "x";
  return resolve_fields({field}, {{"x", value}}, "/a")["x"];
}

/// Every value of `good` comes through as it is; every one of `bad` is refused, with pointer, type
/// and value.
void expect(const Field& field, const json& good, const json& bad) {
  for (const json& value : good) {
    EXPECT_NO_THROW(EXPECT_EQ(resolve(field, value), value))
        << type_text(field) << " from " << value;
  }
  for (const json& value : bad) {
    EXPECT_THAT([&] { resolve(field, value); }, ThrowsError("/a/x", "expected", "found"))
        << type_text(field) << " from " << value;
  }
}

json parsed(const std::string& text) {
  return parse_json(text, "test");
}

TEST(Fields, OfEveryTypeTakeTheirValuesAndNoOthers) {
  expect({.type = FieldType::string}, parsed(R"(["a", "ü", " "])"),
         parsed(R"(["", 1, true, null, [], {}, ["a"]])"));
  expect({.type = FieldType::string, .choices = {"a", "b"}}, parsed(R"(["a", "b"])"),
         parsed(R"(["c", "A", "", 1, ["a"]])"));
  expect({.type = FieldType::path}, parsed(R"(["a/b.pt", "/x"])"),
         parsed(R"(["", 1, null, ["a"]])"));
  expect({.type = FieldType::boolean}, parsed("[true, false]"),
         parsed(R"([0, 1, "true", null, []])"));
  expect({.type = FieldType::integer}, parsed("[0, -3, 9223372036854775807]"),
         parsed(R"([3.7, 3.0, true, "3", null, [3], 9223372036854775808, 1e3])"));
  expect({.type = FieldType::unsigned_integer}, parsed("[0, 5, 18446744073709551615]"),
         parsed(R"([-1, 3.7, true, "3", 18446744073709551616, null])"));
  expect({.type = FieldType::number}, parsed("[0, -3, 3.7, 1e300]"),
         parsed(R"([true, "3", null, [1]])"));
  expect({.type = FieldType::names}, parsed(R"(["a", ["a"], ["a", "b"]])"),
         parsed(R"(["", [], [""], [1], 1, {}, null, true])"));
  expect({.type = FieldType::names, .choices = {"a", "b"}}, parsed(R"([["b"], ["a", "b"]])"),
         parsed(R"(["c", ["a", "c"], [], null])"));
  // One of several choices is a list of one.
  EXPECT_EQ(resolve({.type = FieldType::names, .choices = {"a", "b"}}, "a"), json::array({"a"}));
  expect({.type = FieldType::integers}, parsed("[[], [1], [1, -2]]"),
         parsed(R"([1, [1.5], [true], ["1"], [null], {}, null, [9223372036854775808]])"));
  expect({.type = FieldType::numbers}, parsed("[[], [1], [1.5, -2]]"),
         parsed(R"([1, [true], ["1"], [null], {}, null])"));
  expect({.type = FieldType::index_or_key}, parsed(R"([0, 3, "logits"])"),
         parsed("[-1, 1.5, true, null, [], {}, 9223372036854775808]"));
}

TEST(Fields, HaveLimits) {
  const Field closed{.type = FieldType::integer, .minimum = 1, .maximum = 3};
  expect(closed, parsed("[1, 2, 3]"), parsed("[0, 4, -1]"));
  EXPECT_EQ(type_text(closed), "an integer >= 1 and <= 3");
  expect({.type = FieldType::number, .minimum = 0, .above_minimum = true}, parsed("[1e-9, 5]"),
         parsed("[0, -1e-9, 0.0]"));
  expect({.type = FieldType::number, .maximum = 1}, parsed("[1, -5, 1.0]"), parsed("[1.0001, 2]"));
  expect({.type = FieldType::integers, .minimum = 1}, parsed("[[1], [2, 3]]"),
         parsed("[[0], [1, 0]]"));
  expect({.type = FieldType::numbers, .minimum = 0, .above_minimum = true}, parsed("[[0.5]]"),
         parsed("[[0]]"));
}

TEST(Fields, OfListsNameTheElement) {
  EXPECT_THAT(
      [] {
        resolve({.type = FieldType::integers}, {1, 2, 3.7});
      },
      ThrowsError("/a/x/2", "found 3.7"));
  EXPECT_THAT(
      [] {
        resolve({.type = FieldType::numbers}, {1, "2"});
      },
      ThrowsError("/a/x/1", "found \"2\""));
}

TEST(Fields, SayPlaceExpectedAndFound) {
  try {
    resolve({.type = FieldType::integer, .minimum = 1}, 3.7);
    FAIL();
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "wrong value for 'x' (/a/x): expected an integer >= 1, found 3.7");
    EXPECT_EQ(error.complaint().where, "/a/x");
  }
}

TEST(Fields, TakeJsonThatWasMadeInCode) {
  EXPECT_EQ(resolve({.type = FieldType::unsigned_integer}, json(5)), 5) << "a signed 5";
  EXPECT_EQ(resolve({.type = FieldType::index_or_key}, json(1)), 1);
  EXPECT_THROW(resolve({.type = FieldType::number}, json(std::numeric_limits<double>::quiet_NaN())),
               Error);
  EXPECT_THROW(resolve({.type = FieldType::number}, json(std::numeric_limits<double>::infinity())),
               Error);
}

TEST(Fields, WithoutAValueHaveTheirDefault) {
  const std::vector<Field> fields{
      {.name = "a", .type = FieldType::integer, .fallback = 3},
      {.name = "b", .type = FieldType::string, .fallback = nullptr},
      {.name = "c", .type = FieldType::numbers, .fallback = Fallback::json("[0.5]")},
      {.name = "d", .type = FieldType::number, .fallback = 0.1},
      {.name = "e", .type = FieldType::boolean, .fallback = true},
      {.name = "f",
       .type = FieldType::kind,
       .fallback = Fallback::json(R"({"kind": "square"})"),
       .family = shapes},
      {.name = "g", .type = FieldType::string, .fallback = "say \"so\""}};
  EXPECT_EQ(resolve_fields(fields, json::object(), ""),
            parsed(R"({"a": 3, "b": null, "c": [0.5], "d": 0.1, "e": true,
                       "f": {"kind": "square", "side": 2, "colour": "red"}, "g": "say \"so\""})"));
  EXPECT_EQ(resolve_fields(fields, {{"a", 9}, {"b", nullptr}}, "")["a"], 9);
  EXPECT_THAT(
      [&] {
        resolve_fields(fields, {{"a", nullptr}}, "");
      },
      ThrowsError("/a", "an integer", "null"))
      << "null is no value where the default is not null";
}

TEST(Fields, ThatAreMissingOrUnknownAreNamed) {
  const std::vector<Field> fields{{.name = "path", .type = FieldType::path},
                                  {.name = "limit", .type = FieldType::integer, .fallback = 1}};
  EXPECT_THAT([&] { resolve_fields(fields, json::object(), "/data"); },
              ThrowsError("missing key 'path'", "/data", "a path"));
  EXPECT_THAT(
      [&] {
        resolve_fields(fields, {{"path", "x"}, {"limits", 2}}, "/data");
      },
      ThrowsError("unknown key 'limits'", "(/data/limits)", "'path', 'limit'"));
  EXPECT_THAT(
      [&] {
        resolve_fields(fields, {{"path", "x"}, {"a/b", 2}}, "/data");
      },
      ThrowsError("(/data/a~1b)"));
  EXPECT_THAT(
      [&] {
        resolve_fields({}, {{"x", 2}}, "");
      },
      ThrowsError("unknown key 'x'", "no keys"));
  EXPECT_THAT(
      [&] {
        resolve_fields(fields, {{"path", "x"}, {"kind", "y"}}, "");
      },
      ThrowsError("unknown key 'kind'"));
  for (const json& value : {json(1), json("x"), json::array(), json(nullptr)}) {
    EXPECT_THAT([&] { resolve_fields(fields, value, ""); }, ThrowsError("an object")) << value;
  }
}

TEST(Fields, OfGroupsAndKindsAreResolvedInside) {
  const Field group{.type = FieldType::group, .fields = frame};
  EXPECT_EQ(resolve(group, {{"wood", "oak"}}), json({{"wood", "oak"}, {"width", 1}}));
  EXPECT_THAT([&] { resolve(group, json::object()); }, ThrowsError("missing key 'wood'", "/a/x"));
  EXPECT_THAT([&] { resolve(group, {{"wood", 3}}); }, ThrowsError("/a/x/wood"));
  expect(group, json::array(), parsed(R"([1, "a", [], null])"));

  const Field groups{.type = FieldType::groups, .fields = frame};
  EXPECT_EQ(resolve(groups, parsed(R"([{"wood": "oak"}, {"wood": "ash", "width": 2}])")),
            parsed(R"([{"wood": "oak", "width": 1}, {"wood": "ash", "width": 2}])"));
  EXPECT_THAT([&] { resolve(groups, parsed(R"([{"wood": "oak"}, {"width": 2}])")); },
              ThrowsError("missing key 'wood'", "/a/x/1"));
  EXPECT_THAT([&] { resolve(groups, parsed("[3]")); }, ThrowsError("/a/x/0", "an object"));
  expect(groups, parsed("[[]]"), parsed(R"([1, "a", {}, null])"));

  const Field kind{.type = FieldType::kind, .family = shapes};
  EXPECT_EQ(resolve(kind, {{"kind", "square"}}),
            parsed(R"({"kind": "square", "side": 2, "colour": "red"})"));
  expect(
      kind, json::array(),
      parsed(R"([1, "circle", [], null, {}, {"kind": "circle"}, {"kind": "square", "side": 10}])"));

  const Field kinds{.type = FieldType::kinds, .family = shapes};
  EXPECT_EQ(
      resolve(kinds, parsed(R"([{"kind": "square"}, {"kind": "circle", "radius": 1}])")).size(),
      2U);
  EXPECT_THAT([&] { resolve(kinds, parsed(R"([{"kind": "square"}, {"kind": "circle"}])")); },
              ThrowsError("missing key 'radius'", "/a/x/1"));
  expect(kinds, json::array(), parsed(R"([[], {}, {"kind": "square"}, [1], ["square"], null])"));

  const Field either{.type = FieldType::kind_or_integers, .family = shapes};
  EXPECT_EQ(resolve(either, parsed("[1, 4]")), parsed("[1, 4]"));
  EXPECT_EQ(resolve(either, {{"kind", "square"}})["side"], 2);
  expect(either, json::array(), parsed(R"([1, "a", [0], [1.5], [true], {}, null])"));

  const Field split{.type = FieldType::kind_or_split, .family = shapes};
  const json both = resolve(
      split, parsed(R"({"train": {"kind": "square"}, "test": {"kind": "square", "side": 3}})"));
  EXPECT_EQ(both["train"]["side"], 2);
  EXPECT_EQ(both["test"]["side"], 3);
  EXPECT_EQ(resolve(split, {{"kind", "square"}})["side"], 2);
  EXPECT_THAT([&] { resolve(split, parsed(R"({"train": {"kind": "square"}})")); },
              ThrowsError("missing key 'test'", "/a/x"));
  EXPECT_THAT([&] { resolve(split, parsed(R"({"train": {"kind": "square"}, "valid": {}})")); },
              ThrowsError("unknown key 'valid'", "/a/x/valid"));
  EXPECT_THAT(
      [&] { resolve(split, parsed(R"({"train": {"kind": "square"}, "test": {"kind": "line"}})")); },
      ThrowsError("/a/x/test/kind"));
  expect(split, json::array(), parsed(R"([1, "a", [], {}, null])"));
}

TEST(Kinds, AreChosenByName) {
  EXPECT_EQ(resolve_kind(shapes(), {{"kind", "circle"}, {"radius", 2}, {"colour", "blue"}}, "/s"),
            parsed(R"({"kind": "circle", "radius": 2, "colour": "blue"})"));
  EXPECT_THAT(
      [] {
        resolve_kind(shapes(), {{"kind", "line"}}, "/s");
      },
      ThrowsError("unknown kind", "(/s/kind)", "shape", "'circle', 'square'", "found \"line\""));
  EXPECT_THAT(
      [] {
        resolve_kind(shapes(), {{"kind", 3}}, "/s");
      },
      ThrowsError("unknown kind", "found 3"));
  EXPECT_THAT([] { resolve_kind(shapes(), json::object(), "/s"); },
              ThrowsError("missing key 'kind'", "/s", "'circle', 'square'"));
  EXPECT_THAT([] { resolve_kind(shapes(), "circle", "/s"); },
              ThrowsError("/s", "found \"circle\""));
  EXPECT_THAT(
      [] {
        resolve_kind(shapes(), {{"kind", "circle"}, {"side", 2}}, "/s");
      },
      ThrowsError("unknown key 'side'", "(/s/side)", "'radius', 'colour'"));
}

TEST(Kinds, ResolvedOnceAreResolved) {
  const json once = resolve_kind(shapes(), {{"kind", "square"}}, "");
  EXPECT_EQ(resolve_kind(shapes(), once, ""), once);
}

TEST(Kinds, AreFoundByName) {
  EXPECT_EQ(shapes().find("square")->summary, "Not round");
  EXPECT_EQ(shapes().find("line"), nullptr);
  EXPECT_EQ(shapes().names(), (std::vector<std::string>{"circle", "square"}));
}

TEST(Schema, SaysWhatTheReaderChecks) {
  EXPECT_EQ(schema_of(shapes()), parsed(R"({
    "title": "shape",
    "anyOf": [
      {"title": "circle", "description": "Round", "type": "object", "additionalProperties": false,
       "required": ["kind", "radius"],
       "properties": {"kind": {"const": "circle"},
                      "radius": {"type": "number", "exclusiveMinimum": 0, "description": "metres"},
                      "colour": {"type": "string", "minLength": 1, "default": "red", "description": "its colour"}}},
      {"title": "square", "description": "Not round", "type": "object", "additionalProperties": false,
       "required": ["kind"],
       "properties": {"kind": {"const": "square"},
                      "side": {"type": "integer", "minimum": 1, "maximum": 9, "default": 2, "description": "metres"},
                      "colour": {"type": "string", "minLength": 1, "default": "red", "description": "its colour"}}}]})"));
}

TEST(Schema, OfEveryTypeIsThere) {
  for (int i = 0; i <= static_cast<int>(FieldType::groups); ++i) {
    const Field field{
        .name = "x", .type = static_cast<FieldType>(i), .family = shapes, .fields = frame};
    const json schema = schema_of({field}, "title")["properties"]["x"];
    EXPECT_TRUE(schema.contains("type") || schema.contains("anyOf") || schema.contains("$ref"))
        << i << ": " << schema;
    EXPECT_FALSE(type_text(field).empty());
  }
  const json schema = schema_of(
      {{.name = "x", .type = FieldType::kind, .fallback = nullptr, .family = shapes}}, "");
  EXPECT_EQ(schema["properties"]["x"]["anyOf"],
            parsed(R"([{"$ref": "#/$defs/shape"}, {"type": "null"}])"));
  EXPECT_FALSE(schema.contains("required"));
}

}  // namespace
}  // namespace descramble::test
