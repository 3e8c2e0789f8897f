// The samples nearest to points of a line: brute force over all distances, ties included, and a
// network whose direction is known.

#include "descramble/analysis/explore.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <tuple>

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/full.h>
#include <ATen/ops/linalg_qr.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>

#include "descramble/analysis/capture.h"
#include "descramble/core/random.h"
#include "descramble/data/tensor_set.h"
#include "descramble/model/kinds.h"
#include "descramble/stats/moments.h"
#include "descramble/taps/axis.h"
#include "model/fixtures.h"

namespace descramble::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

Model built(const json& input, const json& layers, std::uint64_t seed = 3) {
  return open_model(
             resolve_kind(model_family(),
                          {{"kind", "sequential"}, {"input", input}, {"layers", layers}}, "/model"),
             {.seed = seed})
      .model;
}

struct SearchCase {
  std::string name{};
  Nearness nearness = Nearness::space;
  Distinct distinct = Distinct::image;
  Through through = Through::mean;
};

class ExploreCases : public ::testing::TestWithParam<SearchCase> {
 protected:
  static Subject conv_subject() {
    const Model model =
        built({1, 7, 7},
              {{{"kind", "conv2d"}, {"name", "conv"}, {"out", 5}, {"kernel", 3}, {"padding", 1}},
               {{"kind", "relu"}, {"name", "act"}},
               {{"kind", "flatten"}},
               {{"kind", "linear"}, {"name", "fc"}, {"out", 6}}});
    // Few grey levels, and samples that come twice: many values are equal.
    RandomStream random = random_stream(4, "pictures");
    const at::Tensor some = (random.normal_tensor({20, 1, 7, 7}) > 0.8).to(at::kFloat);
    return open_subject(model, tensor_set(at::cat({some, some}), {}, 7));
  }

  static Subject token_subject() {
    const Model model = fixture("attention_scripted").load();
    RandomStream random = random_stream(4, "tokens");
    return open_subject(model, tensor_set(random.normal_tensor({30, 4, 8}).to(at::kFloat), {}, 8));
  }

  struct Distance {
    double squared = 0;
    std::int64_t sample = 0;
    std::int64_t position = 0;
    bool operator<(const Distance& other) const {
      return std::tie(squared, sample, position) <
             std::tie(other.squared, other.sample, other.position);
    }
  };

  /// All distances, sorted.
  static std::vector<Distance> sorted(const at::Tensor& rows, std::int64_t positions,
                                      const at::Tensor& centre, const at::Tensor& direction,
                                      double place, const SearchCase& how) {
    const at::Tensor plain = rows.contiguous();
    const at::Tensor q = direction.contiguous();
    const at::Tensor c = centre.contiguous();
    const std::int64_t d = plain.size(1);
    std::vector<Distance> all;
    for (std::int64_t i = 0; i < plain.size(0); ++i) {
      const double* row = plain.data_ptr<double>() + i * d;
      double z = 0;
      double squared = 0;
      for (std::int64_t j = 0; j < d; ++j) {
        const double centred = row[j] - c.data_ptr<double>()[j];
        z += q.data_ptr<double>()[j] * centred;
        const double difference = centred - place * q.data_ptr<double>()[j];
        squared += difference * difference;
      }
      if (how.nearness == Nearness::direction) squared = (z - place) * (z - place);
      all.push_back({squared, i / positions, i % positions});
    }
    std::sort(all.begin(), all.end());
    return all;
  }

  static void expect_brute_force(const Subject& subject, const std::string& tap, Axis axis,
                                 const SearchCase& how) {
    SCOPED_TRACE(tap);
    const std::int64_t count = subject.train.data->size();
    RandomStream random = random_stream(9, "basis");
    const at::Tensor values =
        capture(subject, {.taps = {tap}, .limit = count}).taps[0].values.to(at::kDouble);
    const at::Tensor rows = to_rows(values, axis);
    const at::Tensor turned = random.haar_tensor(rows.size(1));
    const ExploreOptions options{.taps = {tap},
                                 .bases = {neurons(), directions(turned)},
                                 .directions = 3,
                                 .points = 4,
                                 .patches = 5,
                                 .through = how.through,
                                 .nearness = how.nearness,
                                 .distinct = how.distinct,
                                 .data = Split::train};
    const Exploration found = explore(subject, options);
    Moments moments;
    moments.add(rows);
    const at::Tensor centre =
        how.through == Through::zero ? at::zeros({rows.size(1)}, at::kDouble) : moments.mean();
    ASSERT_EQ(found.taps.size(), 1U);
    for (const ExploredBasis& basis : found.taps[0].bases) {
      for (const ExploredDirection& direction : basis.directions) {
        const at::Tensor q = basis.label == "neurons"
                                 ? at::eye(rows.size(1), at::kDouble).select(1, direction.component)
                                 : turned.select(1, direction.component);
        EXPECT_DOUBLE_EQ(direction.points.front().place, direction.low);
        EXPECT_DOUBLE_EQ(direction.points.back().place, direction.high);
        for (const ExploredPoint& point : direction.points) {
          const std::vector<Distance> all =
              sorted(rows, rows.size(0) / count, centre, q, point.place, how);
          std::vector<Distance> expected;
          std::set<std::int64_t> taken;
          for (const Distance& one : all) {
            if (expected.size() == 5) break;
            if (how.distinct == Distinct::position || taken.insert(one.sample).second)
              expected.push_back(one);
          }
          ASSERT_EQ(point.neighbours.size(), expected.size());
          for (std::size_t i = 0; i < expected.size(); ++i) {
            const Neighbour& one = point.neighbours[i];
            EXPECT_EQ(one.sample, expected[i].sample) << basis.label << " " << point.place;
            EXPECT_EQ(one.position, expected[i].position);
            EXPECT_NEAR(one.distance, std::sqrt(expected[i].squared), 1e-9);
          }
        }
      }
    }
  }
};

TEST_P(ExploreCases, AreThoseOfBruteForce) {
  const Subject images = conv_subject();
  expect_brute_force(images, "conv", Axis::channels, GetParam());
  expect_brute_force(images, "act", Axis::channels, GetParam());
  expect_brute_force(images, "fc", Axis::features, GetParam());
  expect_brute_force(token_subject(), "blocks.0", Axis::features, GetParam());
}

INSTANTIATE_TEST_SUITE_P(
    Cases, ExploreCases,
    ::testing::Values(SearchCase{"default"}, SearchCase{"along", Nearness::direction},
                      SearchCase{"positions", Nearness::space, Distinct::position},
                      SearchCase{"zero", Nearness::space, Distinct::image, Through::zero},
                      SearchCase{"along_positions", Nearness::direction, Distinct::position}),
    [](const auto& one) { return one.param.name; });

/// The share of neighbouring columns whose mean grey goes up.
double rises(const at::Tensor& shown) {
  const at::Tensor means = shown.to(at::kDouble).flatten(1).mean(1);
  double up = 0;
  for (std::int64_t i = 0; i + 1 < means.size(0); ++i)
    up += means[i + 1].item<double>() > means[i].item<double>() ? 1 : 0;
  return up / static_cast<double>(means.size(0) - 1);
}

// A layer holds the brightness of a patch in one rotated direction, and noise-like contrasts in the
// others. Along that direction the strip grows brighter from column to column; along no neuron.
TEST(Explore, ShowsAPlantedDirection) {
  constexpr std::int64_t d = 16;
  const Model model = built({1, 12, 12}, {{{"kind", "conv2d"},
                                           {"name", "conv"},
                                           {"out", d},
                                           {"kernel", 4},
                                           {"stride", 4},
                                           {"bias", false}}});
  RandomStream random = random_stream(7, "planted");
  // Orthonormal patterns of a patch, the first one constant: its brightness.
  at::Tensor patterns = random.normal_tensor({16, d});
  patterns.select(1, 0).fill_(1);
  patterns = std::get<0>(at::linalg_qr(patterns));
  const at::Tensor turned = random.haar_tensor(d);
  const at::Tensor weight = turned.matmul(patterns.t()).reshape({d, 1, 4, 4});
  at::Tensor(model.parameters()[0].second).detach().copy_(weight);
  const at::Tensor grey = random.uniform_tensor({400, 1, 3, 3}, 0.45, 0.55);
  const at::Tensor images = (grey.repeat_interleave(4, 2).repeat_interleave(4, 3) +
                             0.4 * random.uniform_tensor({400, 1, 12, 12}, -1, 1))
                                .clamp(0, 1)
                                .to(at::kFloat);
  const Subject subject = open_subject(model, tensor_set(images, {}, 50));
  const at::Tensor sign = patterns.select(1, 0).sum().sign();
  const Exploration found =
      explore(subject, {.taps = {"conv"},
                        .bases = {directions(turned.narrow(1, 0, 1) * sign), neurons()},
                        .directions = 1,
                        .points = 7,
                        .patches = 6});
  const ExploredTap& tap = found.taps.at(0);
  EXPECT_TRUE(found.images);
  EXPECT_EQ(tap.field.extent(), (std::vector<std::int64_t>{4, 4}));
  EXPECT_EQ(tap.bases[0].shown.sizes(), (std::vector<std::int64_t>{1, 7, 6, 1, 48, 48}));
  EXPECT_EQ(rises(tap.bases[0].shown[0]), 1);
  for (std::int64_t neuron = 0; neuron < d; ++neuron) {
    const Exploration one = explore(subject, {.taps = {"conv"},
                                              .bases = {neurons()},
                                              .components = {neuron},
                                              .points = 7,
                                              .patches = 6});
    const double rising = rises(one.taps[0].bases[0].shown[0]);
    EXPECT_LT(rising, 1) << neuron;
    EXPECT_GT(rising, 0) << neuron;
  }
}

TEST(Explore, RefusesWhatCannotBe) {
  const Model model = built({4}, {{{"kind", "linear"}, {"name", "fc"}, {"out", 3}}});
  RandomStream random = random_stream(1, "x");
  const Subject subject =
      open_subject(model, tensor_set(random.normal_tensor({9, 4}).to(at::kFloat), {}, 4));
  EXPECT_THAT([&] { explore(subject, {.taps = {"fc"}}); },
              ThrowsError("at least 5 (/directions), found 3"));
  EXPECT_THAT([&] { explore(subject, {.taps = {"fc"}, .components = {3}}); },
              ThrowsError("/components/0"));
  EXPECT_THAT([&] { explore(subject, {.taps = {"fc9"}}); }, ThrowsError("fc9"));
  EXPECT_THAT([&] { explore(subject, {.taps = {"fc"}, .points = 0}); }, ThrowsError("/points"));
  // Fewer samples than asked: they are shown, and a warning says so.
  const Exploration few = explore(subject, {.taps = {"fc"}, .directions = 2, .patches = 12});
  EXPECT_THAT(few.taps[0].warnings.at(0), HasSubstr("only 9 samples"));
  EXPECT_FALSE(few.images);
  EXPECT_EQ(few.taps[0].bases[0].shown.sizes(), (std::vector<std::int64_t>{2, 7, 12, 4}));
}

}  // namespace
}  // namespace descramble::test
