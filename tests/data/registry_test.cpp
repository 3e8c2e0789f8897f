#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <optional>

#include <ATen/ops/arange.h>

#include "data/support.h"
#include "descramble/core/safetensors.h"

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

/// A few samples in each form that the project reads, for a kind to guess from.
std::vector<std::filesystem::path> sample_files(const TemporaryFolder& folder) {
  const auto idx_file = folder / "train-images-idx3-ubyte";
  write(idx_file, idx({3, 2, 2}, "abcdefghijkl"));
  write(folder / "train-labels-idx1-ubyte", idx({3}, std::string("\0\1\2", 3)));
  std::string digits = "p0";
  for (int i = 1; i < 64; ++i) digits += ",p" + std::to_string(i);
  digits += ",class\n";
  for (int row = 0; row < 3; ++row) {
    for (int i = 0; i < 64; ++i) digits += std::to_string((row + i) % 17) + ",";
    digits += std::to_string(row) + "\n";
  }
  write(folder / "digits.csv", digits);
  save_safetensors(
      folder / "values.safetensors",
      {{"x", at::arange(12, at::kFloat).reshape({3, 4})}, {"labels", at::arange(3, at::kLong)}});
  const std::filesystem::path image = DESCRAMBLE_SOURCE_DIR "/tests/data/images/colour.jpg";
  for (const char* name : {"pictures/a", "pictures/b"}) {
    std::filesystem::create_directories(folder / name);
    std::filesystem::copy_file(image, folder / name / "colour.jpg");
  }
  return {idx_file, folder / "digits.csv", folder / "values.safetensors", folder / "pictures"};
}

/// A config value with which the kind opens: nothing but its name where that will do, else what it
/// guesses of a sample file. Nothing where it guesses of none.
std::optional<json> openable(const SourceKind& kind, const TemporaryFolder& folder) {
  if (const json value = smallest(kind.info); value.size() == 1) return value;
  if (kind.guess == nullptr) return std::nullopt;
  for (const std::filesystem::path& file : sample_files(folder)) {
    if (const auto guess = kind.guess(file, {.side = 8})) return guess->source.json();
  }
  return std::nullopt;
}

TEST_P(SourceKinds, IsADataSet) {
  const auto kind = std::find_if(source_kinds().begin(), source_kinds().end(),
                                 [](const auto& one) { return one.info.name == GetParam(); });
  ASSERT_NE(kind, source_kinds().end());
  const TemporaryFolder folder;
  const std::optional<json> value = openable(*kind, folder);
  if (value) {
    expect_invariants(*open(*value).data);
  } else {
    std::printf(
        "[ DATA     ] '%s' guesses of none of the sample files: its own tests call "
        "expect_invariants\n",
        GetParam().c_str());
  }
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
