// The real SqueezeNet 1.1, where the data folder is given.

#include <cstdlib>
#include <map>

#include <ATen/core/grad_mode.h>

#include "descramble/taps/receptive_field.h"
#include "descramble/taps/tapped_model.h"
#include "model/fixtures.h"

namespace descramble::test {
namespace {

class SqueezeNet : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* data = std::getenv("DESCRAMBLE_DATA");
    if (data == nullptr)
      GTEST_SKIP() << "not run: DESCRAMBLE_DATA is not set; wanted models/squeezenet1_1.pt in it";
    file_ = std::filesystem::path(data) / "models" / "squeezenet1_1.pt";
    if (!std::filesystem::exists(file_)) GTEST_SKIP() << "not run: there is no " << file_;
  }
  Model load() const { return load_model(file_); }
  static std::vector<c10::IValue> images(std::int64_t count) {
    return {random_stream(0, "images").normal_tensor({count, 3, 224, 224}).to(at::kFloat)};
  }

 private:
  std::filesystem::path file_{};
};

TEST_F(SqueezeNet, HasItsPointsOnceEachInOrder) {
  const auto readings = read_taps(load(), images(1));
  std::map<std::string, int> kinds;
  std::map<std::string, int> operators;
  std::vector<std::string> features;
  for (const TapReading& reading : readings) {
    EXPECT_EQ(reading.fired, 1) << reading.point.name;
    ++kinds[reading.point.kind];
    if (reading.point.kind == "operator")
      ++operators[reading.point.name.substr(reading.point.name.rfind('.') + 1)];
    if (reading.point.name == "features.3.expand1x1") {
      EXPECT_EQ(reading.shape, "1x64x55x55");
    }
    if (reading.point.name.starts_with("features.3")) features.push_back(reading.point.name);
  }
  EXPECT_EQ(kinds["module"], 67);
  EXPECT_EQ(kinds["operator"], 9);
  EXPECT_EQ(operators["cat"], 8);
  EXPECT_EQ(operators["flatten"], 1);
  EXPECT_THAT(features,
              ::testing::ElementsAre("features.3.squeeze", "features.3.squeeze_activation",
                                     "features.3.expand1x1", "features.3.expand1x1_activation",
                                     "features.3.expand3x3", "features.3.expand3x3_activation",
                                     "features.3.cat", "features.3"));
}

TEST_F(SqueezeNet, IsBitEqualWhenTapped) {
  const Model untouched = load();
  const TappedModel tapped = tap_model(load());
  std::vector<Watch> watches;
  for (const TapPoint& point : tapped.points())
    watches.push_back(tapped.observe(point.name, [](const at::Tensor&) {}));
  for (const bool gradients : {false, true}) {
    const at::AutoGradMode mode(gradients);
    for (int run = 1; run <= 4; ++run) {
      EXPECT_TRUE(bit_equal(tapped.forward_values(images(2)), untouched.forward_values(images(2))))
          << "run " << run;
    }
  }
}

// By hand: a kernel k on steps of j widens a field by (k - 1) j; pools double the step.
TEST_F(SqueezeNet, ReceptiveFieldsAreThoseOfItsKernels) {
  const std::vector<std::pair<std::string, std::int64_t>> expected = {
      {"features.0", 3},  {"features.2", 7},  {"features.3.squeeze", 7},  {"features.3.cat", 15},
      {"features.4", 23}, {"features.5", 31}, {"features.6.squeeze", 31}, {"features.6", 47},
      {"features.7", 63}, {"features.8", 79}};
  std::vector<std::string> taps;
  for (const auto& [tap, side] : expected) taps.push_back(tap);
  const at::Tensor image = random_stream(0, "image").normal_tensor({1, 3, 112, 112});
  const std::vector<ReceptiveField> fields =
      receptive_fields(load(), {image.to(at::kFloat)}, taps, {.batch = 16});
  for (std::size_t i = 0; i < taps.size(); ++i) {
    EXPECT_EQ(fields[i].obstacle, "") << taps[i];
    EXPECT_EQ(fields[i].extent(), std::vector<std::int64_t>(2, expected[i].second)) << taps[i];
  }
}

TEST_F(SqueezeNet, SuffixThreeTimesBitEqual) {
  const at::NoGradGuard no_grad;
  const Model model = load();
  const c10::IValue expected = load().forward_values(images(1));
  for (const char* tap :
       {"features.3.expand1x1", "features.9", "features.12.cat", "classifier.1"}) {
    const SplitModel split = tap_model(model, {tap}).split(tap);
    const Cut cut = split.prefix_values(images(1));
    for (int run = 1; run <= 3; ++run)
      EXPECT_TRUE(bit_equal(split.suffix_values(cut), expected)) << tap << " run " << run;
  }
}

}  // namespace
}  // namespace descramble::test
