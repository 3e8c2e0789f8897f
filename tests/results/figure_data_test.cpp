// The numbers of a figure are those that are drawn.

#include "results/figure_data.h"

#include <cmath>
#include <cstring>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "descramble/core/base64.h"

namespace descramble::test {

namespace {

using nlohmann::json;

Picture picture(std::size_t rows, std::size_t columns) {
  Picture result{.title = "P", .rows = rows, .columns = columns};
  for (std::size_t i = 0; i < rows * columns; ++i)
    result.values.push_back(std::sin(static_cast<double>(i)));
  return result;
}

std::vector<float> values_of(const json& panel) {
  const std::string bytes = from_base64(panel["values"].get<std::string>());
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

TEST(FigureData, OfAMatrixIsItsEntries) {
  const Picture small = picture(7, 96);
  const json data = figure_data(small);
  EXPECT_EQ(data["kind"], "matrices");
  const std::vector<float> values = values_of(data["panels"][0]);
  ASSERT_EQ(values.size(), small.values.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    EXPECT_EQ(values[i], static_cast<float>(small.values[i]));
}

TEST(FigureData, OfALargeMatrixIsMeansOverBlocks) {
  const Picture large = picture(3, 350);  // blocks of four columns, the last of two
  const json panel = figure_data(large)["panels"][0];
  EXPECT_EQ(panel["rows"], 3);
  EXPECT_EQ(panel["columns"], 88);
  EXPECT_EQ(panel["of"], json::array({3, 350}));
  const std::vector<float> values = values_of(panel);
  EXPECT_NEAR(values[88 + 1],
              (large.values[354] + large.values[355] + large.values[356] + large.values[357]) / 4,
              1e-7);
  EXPECT_NEAR(values[87], (large.values[348] + large.values[349]) / 2, 1e-7);
}

TEST(FigureData, PlacesLieBesideEachOther) {
  for (const std::size_t count : {1U, 2U, 3U}) {
    Panels panels;
    for (std::size_t i = 0; i < count; ++i) panels.pictures.push_back(picture(2, 2));
    double end = 0;
    for (const json& panel : figure_data(panels)["panels"]) {
      EXPECT_GT(panel["place"][0], end);
      EXPECT_GT(panel["place"][2], panel["place"][0]);
      end = panel["place"][2];
    }
    EXPECT_LT(end, 1);
  }
}

TEST(FigureData, OfCurvesKeepsGapsAndBands) {
  const Figure figure{.x_title = "x",
                      .series = {{.label = "a", .x = {1, 2}, .y = {3, NAN}},
                                 {.label = "b", .x = {1}, .y = {2}, .low = {1}, .high = {3}}},
                      .references = {{"chance", 0.1}}};
  const json data = figure_data(figure);
  EXPECT_EQ(data["series"][0]["y"], json::array({3.0, nullptr}));
  EXPECT_FALSE(data["series"][0].contains("low"));
  EXPECT_EQ(data["series"][1]["high"], json::array({3.0}));
  EXPECT_EQ(data["references"][0]["y"], 0.1);
}

TEST(FigureData, OfStripsHasAPlaceForEachColumn) {
  const std::vector<std::string> lines{"one", "two"};
  const Strips strips{.strips = {{.cells = {lines, lines, lines}, .captions = {"a", "b", "c"}},
                                 {.cells = {lines}, .captions = {"d"}}}};
  const json data = figure_data(strips);
  EXPECT_EQ(data["lefts"].size(), 3U);
  EXPECT_GT(data["tops"][1], data["bottoms"][0]);
  EXPECT_LT(data["lefts"][2].get<double>() + data["width"].get<double>(), 1);
  EXPECT_EQ(data["strips"][1]["captions"], json::array({"d"}));
}

}  // namespace

}  // namespace descramble::test
