#include "experiment/config.h"

#include <set>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "descramble/core/error.h"
#include "descramble/core/json.h"
#include "experiment/step.h"

namespace descramble::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;

std::vector<fs::path> shipped_configs() {
  std::vector<fs::path> files;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(fs::path(DESCRAMBLE_SOURCE_DIR) / "configs")) {
    if (entry.path().extension() == ".json" && entry.path().filename() != "schema.json")
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

class ShippedConfig : public testing::TestWithParam<fs::path> {};

TEST_P(ShippedConfig, ResolvesAndItsResolutionIsAFixedPoint) {
  const Config config = load_config(GetParam());
  EXPECT_EQ(config.resolved.at("name").get<std::string>().empty(), false);
  EXPECT_EQ(resolve_config(config.resolved, GetParam()).resolved, config.resolved);
}

std::string config_name(const testing::TestParamInfo<fs::path>& config) {
  return config.param.stem().string();
}

INSTANTIATE_TEST_SUITE_P(All, ShippedConfig, testing::ValuesIn(shipped_configs()), config_name);

TEST(Families, EachKindSaysWhatItIs) {
  std::set<std::string> titles;
  for (const KindFamily* family : all_families()) {
    EXPECT_TRUE(titles.insert(family->title).second) << family->title;
    std::set<std::string> names;
    for (const KindInfo& kind : family->kinds) {
      SCOPED_TRACE(family->title + " " + kind.name);
      EXPECT_TRUE(names.insert(kind.name).second);
      EXPECT_FALSE(kind.summary.empty());
      std::vector<Field> fields = kind.fields;
      fields.insert(fields.end(), family->common.begin(), family->common.end());
      std::set<std::string> field_names{"kind"};
      for (const Field& field : fields) {
        EXPECT_TRUE(field_names.insert(field.name).second) << field.name;
        EXPECT_FALSE(field.doc.empty()) << field.name;
        EXPECT_FALSE(type_text(field).empty());
        if (field.type == FieldType::kind || field.type == FieldType::kinds) {
          EXPECT_NE(field.family, nullptr);
        }
      }
      // A kind with all its required fields missing is refused; an unknown field too.
      json value = {{"kind", kind.name}, {"no_such_field", 1}};
      EXPECT_THROW(resolve_kind(*family, value, "/x"), Error);
    }
  }
}

TEST(Families, StepKindsRun) {
  for (const StepKind& kind : step_kinds()) {
    EXPECT_NE(kind.run, nullptr) << kind.info.name;
    bool has_data = false;
    for (const Field& field : kind.info.fields) has_data = has_data || field.name == "data";
    EXPECT_TRUE(has_data) << kind.info.name;
  }
}

TEST(ConfigErrors, NameTheFileAndThePlace) {
  try {
    resolve_config({{"name", "x"},
                    {"seed", "one"},
                    {"model", {{"kind", "torchscript"}, {"path", "m.pt"}}},
                    {"data", {{"kind", "glyphs"}}},
                    {"steps", {{{"kind", "evaluate"}}}}},
                   "my.json");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("my.json at /seed"),
                                             testing::HasSubstr("\"one\"")));
  }
}

}  // namespace

}  // namespace descramble::test
