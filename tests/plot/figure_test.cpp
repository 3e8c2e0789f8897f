#include "descramble/plot/figure.h"

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <set>
#include <sstream>

#include <gmock/gmock.h>

#include "descramble/core/error.h"
#include "descramble/core/files.h"
#include "plot/gnuplot.h"
#include "temporary_folder.h"

namespace descramble::test {

namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::Not;

constexpr double gap = std::numeric_limits<double>::quiet_NaN();

class Figures : public testing::Test {
 protected:
  std::string drawn(const Figure& figure) const {
    write_svg(figure, folder_ / "figure.svg");
    return read_file(folder_ / "figure.svg");
  }

  TemporaryFolder folder_;
};

Figure simple(std::vector<double> y = {4, 2, 1}) {
  return {.title = "title", .x_title = "x", .y_title = "y", .series = {{"curve", {1, 2, 3}, y}}};
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
    ++found;
  return found;
}

TEST_F(Figures, SameFigureSameBytes) {
  ASSERT_TRUE(can_draw()) << "these tests need gnuplot: install gnuplot-nox";
  for (const bool log_x : {false, true}) {
    for (const bool log_y : {false, true}) {
      for (const bool steps : {false, true}) {
        Figure figure = simple();
        figure.log_x = log_x;
        figure.log_y = log_y;
        figure.series[0].steps = steps;
        figure.series[0].low = {3, 1, 0.5};
        figure.series[0].high = {5, 3, 2};
        figure.references = {{"bound", 0.7}};
        const std::string svg = drawn(figure);
        EXPECT_THAT(svg, HasSubstr("<svg"));
        for (const char* text : {"curve", "bound", "title"}) EXPECT_THAT(svg, HasSubstr(text));
        EXPECT_EQ(svg, drawn(figure));
      }
    }
  }
}

// Rows with names: the figure grows with them, and texts are printed unchanged.
TEST_F(Figures, RowsHaveNames) {
  Figure figure = simple({0, 1, 2});
  figure.series[0].points = true;
  figure.y_names = {"fc1_a", "fc2 'b'", "x^2"};
  const std::string svg = drawn(figure);
  for (const char* name : {"fc1_a", "fc2 'b'", "x^2"}) {
    EXPECT_TRUE(svg.find(name) != std::string::npos ||
                svg.find("fc2 &apos;b&apos;") != std::string::npos)
        << name;
  }
  Figure longer = figure;
  for (int i = 0; i < 20; ++i) longer.y_names.push_back("row");
  const auto height = [](const std::string& text) {
    const std::size_t at = text.find("viewBox=\"0 0 769 ");
    return at == std::string::npos ? 0 : std::stoi(text.substr(at + 17));
  };
  EXPECT_EQ(height(drawn(longer)) - height(svg), 20 * 18);
}

TEST_F(Figures, TextsAreTakenAsTheyAre) {
  const std::string nasty = "it's `touch harm` $x @y a_b^c {d} \\n \"q\" 50 % <a> & b Σλμ";
  Figure figure = simple();
  figure.title = nasty;
  figure.x_title = nasty;
  figure.y_title = nasty;
  figure.series[0].label = nasty + "\nplot nothing";
  figure.references = {{nasty, 2}};
  const std::string svg = drawn(figure);
  // Twice more: gnuplot names the group of each curve.
  EXPECT_GE(count(svg, "it's `touch harm` $x @y a_b^c {d} \\n "), 5U);
  EXPECT_EQ(count(svg, "&lt;a> &amp; b Σλμ"), count(svg, "touch harm"));

  EXPECT_FALSE(fs::exists("harm"));
}

TEST_F(Figures, AxesEndWhereTheyAreTold) {
  Figure figure = simple({0.5, 0.9, 1});
  EXPECT_THAT(gnuplot_script(figure), Not(HasSubstr("yrange")));
  figure.y_range = {0, 1.02};
  EXPECT_THAT(gnuplot_script(figure), HasSubstr("set yrange [0:1.02]"));
  EXPECT_THAT(drawn(figure), Not(HasSubstr(">1.2<")));
}

TEST_F(Figures, LegendsDoNotShortenTheAxes) {
  Figure few = simple();
  Figure many = simple();
  for (int i = 0; i < 10; ++i) many.series.push_back({"another", {1, 2, 3}, {1, 2, 3}});
  const auto height = [&](const Figure& figure) {
    const std::string svg = drawn(figure);
    const std::size_t box = svg.find("viewBox=\"0 0 720 ");
    return std::stoi(svg.substr(box + 17));
  };
  EXPECT_GE(height(many), height(few) + 5 * 18);  // five rows more
}

TEST_F(Figures, GapsSplitTheCurve) {
  const std::string whole = gnuplot_script(simple());
  EXPECT_EQ(count(whole, "<< END"), 1U);
  for (const double hole : {gap, std::numeric_limits<double>::infinity()}) {
    const std::string parted = gnuplot_script(simple({4, hole, 1}));
    EXPECT_EQ(count(parted, "<< END"), 2U);
    EXPECT_EQ(count(parted, "title 'curve'"), 1U);
    EXPECT_THAT(parted, Not(HasSubstr("nan")));
    EXPECT_THAT(parted, Not(HasSubstr("inf")));
    drawn(simple({4, hole, 1}));
  }
}

TEST_F(Figures, ManyCurvesDiffer) {
  Figure figure;
  for (int i = 0; i < 7; ++i)
    figure.series.push_back({"curve " + std::to_string(i), {0, 1, 2}, {1.0 * i, 2.0 * i, 3}});
  const std::string svg = drawn(figure);
  for (int i = 0; i < 7; ++i) EXPECT_THAT(svg, HasSubstr("curve " + std::to_string(i)));
  std::set<std::string> looks;
  std::istringstream lines(gnuplot_script(figure));
  for (std::string line; std::getline(lines, line);) {
    if (const auto at = line.find("linecolor"); line.find("title 'curve") != std::string::npos)
      looks.insert(line.substr(at, line.find(" title") - at));
  }
  EXPECT_EQ(looks.size(), 7U);
}

TEST_F(Figures, RefusesWhatCannotBeDrawn) {
  const auto refusal = [this](const Figure& figure) {
    try {
      write_svg(figure, folder_ / "none.svg");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("drawn");
  };
  Figure figure = simple({4, 0, 1});
  figure.log_y = true;
  EXPECT_THAT(refusal(figure), testing::AllOf(HasSubstr("'curve'"), HasSubstr("logarithmic y"),
                                              HasSubstr("found 0")));
  figure = simple();
  figure.log_x = true;
  figure.series[0].x[0] = -1;
  EXPECT_THAT(refusal(figure), HasSubstr("logarithmic x"));
  figure = simple();
  figure.log_y = true;
  figure.references = {{"bound", 0}};
  EXPECT_THAT(refusal(figure), HasSubstr("'bound'"));
  figure = simple({1, 2});
  EXPECT_THAT(refusal(figure), HasSubstr("3 values"));
  figure = simple();
  figure.series[0].low = {1, 1, 1};
  EXPECT_THAT(refusal(figure), HasSubstr("high"));
  EXPECT_THAT(refusal(simple({gap, gap, gap})), HasSubstr("nothing to draw"));
  EXPECT_THAT(refusal({}), HasSubstr("nothing to draw"));
  EXPECT_FALSE(fs::exists(folder_ / "none.svg"));
}

TEST_F(Figures, MissingGnuplotSaysWhatToInstall) {
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", folder_.path().c_str(), 1);
  EXPECT_FALSE(can_draw());
  std::string said;
  try {
    write_svg(simple(), folder_ / "none.svg");
  } catch (const Failure& failure) {
    said = failure.what();
  }
  ::setenv("PATH", path.c_str(), 1);
  EXPECT_THAT(said, HasSubstr("install gnuplot-nox"));
  EXPECT_FALSE(fs::exists(folder_ / "none.svg"));
}

TEST_F(Figures, GnuplotsComplaintIsOneLine) {
  std::string said;
  try {
    run_gnuplot("plot nonsense(");
  } catch (const Failure& failure) {
    said = failure.what();
  }
  EXPECT_THAT(said, HasSubstr("gnuplot failed"));
  EXPECT_THAT(said, Not(HasSubstr("\n")));
  EXPECT_THROW(run_gnuplot("set terminal svg\n"), Failure);  // nothing was drawn
}

}  // namespace

}  // namespace descramble::test
