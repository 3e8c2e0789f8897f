// DEER: the kernel against its integral, and what the traces are made of.

#include "descramble/data/deer.h"

#include <cmath>
#include <cstdio>
#include <numbers>

#include <ATen/TensorOperators.h>

#include "data/support.h"

namespace descramble::test {
namespace {

using nlohmann::json;

/// ∫₀¹ cos((1 − 3u²) D t) du by Simpson's rule, as an independent reference.
double by_quadrature(double distance, double time) {
  const double phase = dipolar_coupling(distance) * time;
  const int steps = 2000 + 2 * static_cast<int>(100 * phase);
  double sum = 0;
  for (int i = 0; i <= steps; ++i) {
    const double u = static_cast<double>(i) / steps;
    const double weight = i == 0 || i == steps ? 1 : i % 2 == 1 ? 4 : 2;
    sum += weight * std::cos((1 - 3 * u * u) * phase);
  }
  return sum / (3.0 * steps);
}

// REFERENCE.md T11: values of the integral, recomputed by quadrature in float64.
TEST(T11DeerKernel, EqualsTheReferenceValues) {
  EXPECT_NEAR(deer_kernel(30, 0.1), 0.52250252, 1e-7);
  EXPECT_NEAR(deer_kernel(30, 0.5), 0.09723826, 1e-7);
  EXPECT_NEAR(deer_kernel(40, 0.5), -0.12413740, 1e-7);
  EXPECT_NEAR(deer_kernel(55, 2), -0.21587898, 1e-7);
}

TEST(T11DeerKernel, EqualsTheIntegralFromTheShortestDistanceToTheLongest) {
  for (const double distance : {11.775, 13.0, 17.5, 25.0, 40.0, 59.265}) {
    for (const double time : {0.0, 1e-9, 1e-6, 1e-4, 0.0078, 0.05, 0.3, 1.0, 2.0}) {
      EXPECT_NEAR(deer_kernel(distance, time), by_quadrature(distance, time), 1e-10)
          << distance << " Å, " << time << " µs";
    }
  }
}

TEST(Deer, CouplingIs52MegahertzAtOneNanometre) {
  EXPECT_NEAR(dipolar_coupling(10) / (2 * std::numbers::pi), 52.041, 5e-4);
}

TEST(Deer, DistancesReachAsFarAsTheTimesResolve) {
  // Worswick et al. (2018): 11.775 to 59.265 Å for 256 points in 2 µs.
  const DeerSimulator simulator(DeerOptions{});
  EXPECT_NEAR(simulator.distances().front(), 11.775, 1e-3);
  EXPECT_NEAR(simulator.distances().back(), 59.265, 1e-3);
  EXPECT_EQ(simulator.distances().size(), 256U);
  EXPECT_EQ(simulator.kernel().size(), 256U * 256U);
  EXPECT_EQ(simulator.kernel()[5 * 256 + 7],
            deer_kernel(simulator.distances()[5], simulator.times()[7]));
}

TEST(Deer, TracesAreWhatTheirPartsMake) {
  const DeerSimulator simulator(DeerOptions{});
  const double spacing = (simulator.distances()[1] - simulator.distances()[0]) / 10;
  for (std::uint64_t i = 0; i < 50; ++i) {
    RandomStream random = random_stream(3, "deer", i);
    const DeerSimulator::Trace trace = simulator.draw(random);
    double integral = 0;
    double transformed = 0;
    for (std::size_t j = 0; j < trace.distribution.size(); ++j) {
      ASSERT_GE(trace.distribution[j], 0);
      integral += trace.distribution[j] * spacing;
      transformed += trace.distribution[j] * spacing *
                     by_quadrature(simulator.distances()[j], simulator.times()[100]);
    }
    ASSERT_NEAR(integral, 1, 1e-12);
    ASSERT_NEAR(trace.form_factor[0], 1, 1e-12);
    // The trace that the tabulated kernel makes, against the direct formula.
    ASSERT_NEAR(trace.form_factor[100], transformed, 1e-9);
    ASSERT_NEAR(trace.clean[0], 1, 1e-12);
    ASSERT_GE(trace.depth, 0.01);
    ASSERT_LE(trace.depth, 1);
    double largest = 0;
    for (const double one : trace.noise) largest = std::max(largest, std::abs(one));
    ASSERT_LT(largest, 6 * 0.05 * trace.depth);
  }
}

TEST(Deer, PartsOfASampleBelongTogether) {
  const auto inputs = [](const char* part, double noise) {
    return open({{"kind", "deer"}, {"count", 20}, {"part", part}, {"noise", noise}}, {.seed = 5})
        .data->slice(0, 20)
        .inputs.at(0);
  };
  const at::Tensor trace = inputs("trace", 0.05);
  EXPECT_LE(max_difference(trace, (inputs("clean", 0.05) + inputs("noise", 0.05)).clamp(0, 1)),
            1e-6);
  EXPECT_EQ(inputs("noise", 0).abs().max().item<float>(), 0);
  EXPECT_GE(trace.min().item<float>(), 0);
  EXPECT_LE(trace.max().item<float>(), 1);
}

TEST(Deer, KnowsItsAxes) {
  const Source source = open({{"kind", "deer"}, {"count", 3}, {"points", 64}, {"time_max", 4}});
  EXPECT_EQ(source.data->input_scale().title, "time / µs");
  EXPECT_EQ(source.data->input_scale().values.back(), 4);
  EXPECT_EQ(source.data->label_scale().title, "distance / Å");
  EXPECT_EQ(source.data->label_scale().values.size(), 64U);
}

TEST(Deer, RefusesWhatCannotBe) {
  const auto opening = [](const json& fields) {
    return [fields] {
      json value = {{"kind", "deer"}, {"count", 2}};
      value.update(fields);
      open(value);
    };
  };
  EXPECT_THAT(opening({{"distance_min", 5}}),
              ThrowsError("does not resolve", "/data/distance_min", "11.775", "5 Å"));
  EXPECT_THAT(opening({{"distance_max", 80}}), ThrowsError("/data/distance_max", "59.265", "80"));
  EXPECT_THAT(opening({{"distance_min", 40}, {"distance_max", 30}}),
              ThrowsError("no distances", "less than 30"));
  EXPECT_THAT(opening({{"gaussians", 33}}), ThrowsError("more Gaussians than fit", "32", "33"));
  EXPECT_THAT(opening({{"times", {0, .1, .2, .3, .4, .4, .5, .6}}}),
              ThrowsError("do not increase", "/data/times/5", "more than 0.4", "0.4"));
  EXPECT_THAT(opening({{"times", {.1, .2, .3, .4, .5, .6, .7, .8}}}),
              ThrowsError("do not begin at zero", "0.1"));
  EXPECT_THAT(opening({{"times", {0, .1}}}), ThrowsError("too few times", "2"));
  EXPECT_THAT(opening({{"depth_min", 0.9}, {"depth_max", 0.5}}),
              ThrowsError("/data/depth_min", "0.5", "0.9"));
  EXPECT_THAT(opening({{"noise", -1}}), ThrowsError("/data/noise", ">= 0"));
}

}  // namespace
}  // namespace descramble::test
