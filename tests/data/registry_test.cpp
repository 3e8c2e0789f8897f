#include <algorithm>

#include "data/support.h"

namespace descramble::test {
namespace {

using nlohmann::json;
using ::testing::Contains;

std::vector<std::string> names() {
  return source_family().names();
}

/// A value that a field of this type accepts.
json some_value(const Field& field) {
  switch (field.type) {
    case FieldType::integer:
    case FieldType::unsigned_integer:
    case FieldType::number:
      return 1;
    case FieldType::boolean:
      return true;
    case FieldType::integers:
    case FieldType::numbers:
      return json::array({1});
    default:
      return field.choices.empty() ? "some" : field.choices.front();
  }
}

/// The kind with nothing but its required fields.
json smallest(const KindInfo& info) {
  json value = {{"kind", info.name}};
  for (const Field& field : info.fields) {
    if (!field.fallback) value[field.name] = some_value(field);
  }
  return value;
}

class SourceKinds : public ::testing::TestWithParam<std::string> {
 protected:
  const KindInfo& info() const { return *source_family().find(GetParam()); }
  json resolve(const json& value) const { return resolve_kind(source_family(), value, "/data"); }
};

TEST_P(SourceKinds, SaysWhatItIs) {
  EXPECT_FALSE(info().summary.empty());
  for (const Field& field : info().fields) EXPECT_FALSE(field.doc.empty()) << field.name;
}

TEST_P(SourceKinds, HasFieldsOfItsOwnNames) {
  for (const Field& field : info().fields) {
    for (const Field& common : source_family().common) EXPECT_NE(field.name, common.name);
    EXPECT_EQ(std::count_if(info().fields.begin(), info().fields.end(),
                            [&](const Field& other) { return other.name == field.name; }),
              1);
  }
}

TEST_P(SourceKinds, ResolvesToEveryDefault) {
  const json resolved = resolve(smallest(info()));
  EXPECT_EQ(resolved.size(), 1 + info().fields.size() + source_family().common.size());
  EXPECT_EQ(resolved.at("batch_size"), 256);
  EXPECT_EQ(resolved.at("scale"), 1);
  EXPECT_TRUE(resolved.at("limit").is_null());
  EXPECT_EQ(resolve(resolved), resolved) << "a default is not a value that the field accepts";
}

TEST_P(SourceKinds, RefusesAnUnknownKey) {
  json value = smallest(info());
  value["colour"] = 1;
  EXPECT_THAT([&] { resolve(value); },
              ThrowsError("unknown key 'colour'", "/data/colour", "'batch_size'"));
}

TEST_P(SourceKinds, RefusesAMissingKey) {
  for (const Field& field : info().fields) {
    if (field.fallback) continue;
    json value = smallest(info());
    value.erase(field.name);
    EXPECT_THAT([&] { resolve(value); }, ThrowsError("missing key '" + field.name + "'", "/data"));
  }
}

TEST_P(SourceKinds, RefusesAWrongType) {
  std::vector<Field> fields = info().fields;
  fields.insert(fields.end(), source_family().common.begin(), source_family().common.end());
  for (const Field& field : fields) {
    json value = smallest(info());
    value[field.name] = json::object();
    EXPECT_THAT([&] { resolve(value); },
                ThrowsError("wrong value for '" + field.name + "'", "/data/" + field.name));
  }
}

TEST_P(SourceKinds, IsInTheSchema) {
  const json schema = schema_of(source_family());
  std::vector<std::string> titles;
  for (const json& option : schema.at("anyOf")) titles.push_back(option.at("title"));
  EXPECT_THAT(titles, Contains(GetParam()));
}

TEST_P(SourceKinds, MissingFilesNameThePointer) {
  for (const Field& field : info().fields) {
    if (field.type != FieldType::path || field.fallback) continue;
    EXPECT_THAT([&] { open(smallest(info()), {.pointer = "/data/test"}); },
                ThrowsError("no such file or folder: 'some'", "/data/test/" + field.name));
  }
}

TEST_P(SourceKinds, IsADataSet) {
  const json value = smallest(info());
  if (value.size() > 1) return;  // it needs files: the kind's own tests call expect_invariants
  expect_invariants(*open(value).data);
}

INSTANTIATE_TEST_SUITE_P(All, SourceKinds, ::testing::ValuesIn(names()),
                         [](const auto& kind) { return kind.param; });

TEST(SourceFamily, KnowsItsKinds) {
  EXPECT_THAT(names(), ::testing::IsSupersetOf({"idx", "images", "glyphs"}));
  for (const Field& field : source_family().common) EXPECT_FALSE(field.doc.empty()) << field.name;
}

TEST(SourceFamily, ListsTheKnownKindsForAnUnknownOne) {
  EXPECT_THAT(
      [] {
        open({{"kind", "mnist"}});
      },
      ThrowsError("unknown kind", "/data/kind", "'idx'", "'glyphs'", "mnist"));
}

}  // namespace
}  // namespace descramble::test
