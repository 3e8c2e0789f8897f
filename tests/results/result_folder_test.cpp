#include "results/result_folder.h"

#include <cstdlib>
#include <limits>

#include <gmock/gmock.h>

#include "descramble/core/error.h"
#include "descramble/core/json.h"
#include "temporary_folder.h"

namespace descramble::test {

namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using testing::HasSubstr;

class ResultFolders : public testing::Test {
 protected:
  fs::path out() const { return folder_ / "out"; }

  TemporaryFolder folder_;
};

TEST(Tables, AreCsv) {
  const Table table{.name = "t",
                    .columns = {"step", "tap", "value"},
                    .rows = {{std::int64_t{1}, "fc1", 0.1}, {std::int64_t{-2}, "a,\"b\"", 1e-300}}};
  EXPECT_EQ(to_csv(table), "step,tap,value\n1,fc1,0.1\n-2,\"a,\"\"b\"\"\",1e-300\n");
}

TEST(Tables, RefuseWhatCannotBeRead) {
  const auto with = [](double value) {
    return Table{.name = "t", .columns = {"x", "y"}, .rows = {{1.0, value}}};
  };
  EXPECT_THROW(to_csv(with(std::numeric_limits<double>::quiet_NaN())), Failure);
  EXPECT_THROW(to_csv(with(std::numeric_limits<double>::infinity())), Failure);
  EXPECT_THROW(to_csv({.name = "t", .columns = {"x"}, .rows = {{1.0, 2.0}}}), Failure);
}

TEST_F(ResultFolders, ListEveryFileWithItsHash) {
  ResultFolder folder(out(), false);
  folder.add_table({"curves", {"step", "y"}, {{std::int64_t{0}, 0.5}}});
  folder.add_lines("probes", {{{"a", 1}}, {{"a", 0.1}}});
  folder.add_table({"curves", {"step", "y"}, {{std::int64_t{1}, 0.25}}});
  folder.add_figure("curves", Figure{.title = "t", .series = {{"y", {0, 1}, {1, 2}}}});
  EXPECT_THROW(folder.add_table({"curves", {"step", "z"}, {}}), Failure);
  EXPECT_THROW(folder.add_lines("bad", {{{"a", std::numeric_limits<double>::infinity()}}}),
               Failure);
  folder.finish({{"steps", json::array()}}, {}, json::object());
  EXPECT_EQ(read_file(out() / "curves.csv"), "step,y\n0,0.5\n1,0.25\n");
  EXPECT_EQ(read_file(out() / "probes.jsonl"), "{\"a\":1}\n{\"a\":0.1}\n");
  const json result = read_json(out() / "result.json");
  std::vector<std::string> names;
  for (const json& entry : result["files"]) {
    names.push_back(entry["path"]);
    EXPECT_EQ(entry["sha256"], sha256_of_path(out() / names.back()));
  }
  EXPECT_THAT(names, testing::UnorderedElementsAre("tensors.safetensors", "curves.csv",
                                                   "probes.jsonl", "curves.svg", "figures.json"));
  EXPECT_EQ(result["warnings"], json::array());
}

TEST_F(ResultFolders, SayWhereNothingCanBeDrawn) {
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", folder_.path().c_str(), 1);
  ResultFolder folder(out(), false);
  folder.add_figure("curves", Figure{.title = "t", .series = {{"y", {0, 1}, {1, 2}}}});
  ::setenv("PATH", path.c_str(), 1);
  ASSERT_EQ(folder.warnings().size(), 1U);
  EXPECT_THAT(folder.warnings()[0],
              testing::AllOf(HasSubstr("curves.svg"), HasSubstr("install gnuplot-nox")));
  folder.finish({{"steps", json::array()}}, {}, json::object());
  EXPECT_EQ(read_json(out() / "result.json")["warnings"].size(), 1U);
  EXPECT_FALSE(fs::exists(out() / "curves.svg"));
}

}  // namespace

}  // namespace descramble::test
