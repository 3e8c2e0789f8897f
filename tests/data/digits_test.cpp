#include <cstdlib>
#include <functional>

#include <ATen/core/Tensor.h>

#include "data/support.h"

namespace descramble::test {
namespace {

using nlohmann::json;
using Row = std::vector<std::string>;

/// Header and rows as a file; row i has the values (i + column) mod 17 and the class i mod 10.
std::vector<Row> digit_rows(int count) {
  std::vector<Row> rows(1);
  for (int column = 0; column < 64; ++column) rows[0].push_back("Block " + std::to_string(column));
  rows[0].push_back("Class");
  for (int i = 0; i < count; ++i) {
    Row row;
    for (int column = 0; column < 64; ++column) row.push_back(std::to_string((i + column) % 17));
    row.push_back(std::to_string(i % 10));
    rows.push_back(row);
  }
  return rows;
}

std::string csv(const std::vector<Row>& rows, const std::string& line_end = "\n") {
  std::string text;
  for (const Row& row : rows) {
    for (std::size_t column = 0; column < row.size(); ++column)
      text += (column == 0 ? "" : ",") + row[column];
    text += line_end;
  }
  return text;
}

class Digits : public ::testing::Test {
 protected:
  std::string path() const { return (folder_ / "digits.csv").string(); }
  Source open_bytes(const std::string& bytes) const {
    write(folder_ / "digits.csv", bytes);
    return open({{"kind", "digits"}, {"path", path()}});
  }
  TemporaryFolder folder_;
};

TEST_F(Digits, AreValuesOverSixteenAndClasses) {
  for (const char* line_end : {"\n", "\r\n", " \n", "\n\n"}) {
    const Source source = open_bytes(csv(digit_rows(40), line_end));
    ASSERT_EQ(source.data->size(), 40);
    const Batch batch = source.data->gather({13, 0});
    ASSERT_EQ(batch.inputs.size(), 1U);
    EXPECT_EQ(batch.inputs[0].sizes(), at::IntArrayRef({2, 64}));
    EXPECT_EQ(batch.inputs[0].dtype(), at::kFloat);
    EXPECT_EQ(batch.inputs[0][0][3].item<float>(), 1.0F);
    EXPECT_EQ(batch.inputs[0][1][1].item<float>(), 1.0F / 16.0F);
    EXPECT_EQ(batch.labels[0].item<std::int64_t>(), 3);
    expect_invariants(*source.data);
    ASSERT_EQ(source.data->files().size(), 1U);
    EXPECT_EQ(source.data->files()[0].path, path());
  }
}

TEST_F(Digits, LastLineNeedsNoEnd) {
  std::string bytes = csv(digit_rows(3));
  bytes.pop_back();
  EXPECT_EQ(open_bytes(bytes).data->size(), 3);
}

TEST_F(Digits, BecomePicturesByShape) {
  write(folder_ / "digits.csv", csv(digit_rows(3)));
  const Source source = open({{"kind", "digits"}, {"path", path()}, {"shape", {1, 8, 8}}});
  EXPECT_EQ(source.data->slice(0, 3).inputs[0].sizes(), at::IntArrayRef({3, 1, 8, 8}));
}

struct Damage {
  std::string name;
  std::function<void(Row&)> change;
  std::vector<std::string> parts;
};

/// Every damage in every line that has a digit: the error names that line.
TEST_F(Digits, RefuseADamagedLine) {
  const std::vector<Damage> damages = {
      {"one column less", [](Row& row) { row.pop_back(); }, {"columns", "65", "found 64"}},
      {"one column more", [](Row& row) { row.push_back("1"); }, {"columns", "65", "found 66"}},
      {"text", [](Row& row) { row[0] = "ink"; }, {"0 to 16 in column 1", "'ink'"}},
      {"nothing", [](Row& row) { row[9] = ""; }, {"0 to 16 in column 10", "''"}},
      {"a fraction", [](Row& row) { row[63] = "3.7"; }, {"0 to 16 in column 64", "'3.7'"}},
      {"too dark", [](Row& row) { row[5] = "17"; }, {"0 to 16 in column 6", "'17'"}},
      {"negative", [](Row& row) { row[5] = "-1"; }, {"0 to 16 in column 6", "'-1'"}},
      {"huge", [](Row& row) { row[5] = "99999999999999999999"; }, {"0 to 16 in column 6"}},
      {"class of text", [](Row& row) { row[64] = "seven"; }, {"class", "'seven'"}},
      {"class of a fraction", [](Row& row) { row[64] = "1.5"; }, {"class", "'1.5'"}},
      {"negative class", [](Row& row) { row[64] = "-1"; }, {"class", ">= 0", "'-1'"}}};
  for (const Damage& damage : damages) {
    for (std::size_t line = 1; line <= 3; ++line) {
      SCOPED_TRACE(damage.name + " in line " + std::to_string(line + 1));
      std::vector<Row> rows = digit_rows(3);
      damage.change(rows[line]);
      EXPECT_THAT([&] { open_bytes(csv(rows)); },
                  ThrowsError(path() + ":" + std::to_string(line + 1)));
      for (const std::string& part : damage.parts)
        EXPECT_THAT([&] { open_bytes(csv(rows)); }, ThrowsError(part));
    }
  }
}

TEST_F(Digits, RefuseAFileWithoutDigits) {
  EXPECT_THAT([&] { open_bytes(""); }, ThrowsError("no digits", path(), "an empty file"));
  EXPECT_THAT([&] { open_bytes(csv(digit_rows(0))); },
              ThrowsError("no digits", path(), "header line only"));
  EXPECT_THAT([&] { open_bytes("a,b\n1,2\n"); }, ThrowsError("columns", ":1", "found 2"));
  std::vector<Row> headless = digit_rows(3);
  headless.erase(headless.begin());
  EXPECT_THAT([&] { open_bytes(csv(headless)); }, ThrowsError(":1", "a header line"));
}

// By Python: rows, the sum of all values, the first classes.
TEST(RealDigits, AreRead) {
  if (std::getenv("DESCRAMBLE_DATA") == nullptr) GTEST_SKIP() << without_data("optical digits");
  const Source train = open({{"kind", "digits"}, {"path", "digits/optdigits.tra"}});
  const Source test = open({{"kind", "digits"}, {"path", "digits/optdigits.tes"}});
  ASSERT_EQ(train.data->size(), 3823);
  ASSERT_EQ(test.data->size(), 1797);
  const Batch all = test.data->slice(0, 1797);
  EXPECT_EQ(all.inputs[0].to(at::kDouble).mul(16).sum().item<double>(), 561718);
  for (std::int64_t i = 0; i < 10; ++i) EXPECT_EQ(all.labels[i].item<std::int64_t>(), i);
}

}  // namespace
}  // namespace descramble::test
