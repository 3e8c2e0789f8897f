#include <ATen/core/Tensor.h>

#include "data/support.h"

namespace descramble::test {
namespace {

using nlohmann::json;

/// Three samples of 2 × 2 × 2 with the bytes 0, 1, …, 23.
class OpenSource : public ::testing::Test {
 protected:
  OpenSource() {
    std::string data;
    for (char i = 0; i < 24; ++i) data += i;
    write(folder_ / "x", idx({3, 2, 2, 2}, data));
  }
  Source open_with(const json& fields = json::object()) const {
    json value = {{"kind", "idx"}, {"images", (folder_ / "x").string()}};
    value.update(fields);
    return open(value);
  }
  at::Tensor inputs(const json& fields = json::object()) const {
    const Source source = open_with(fields);
    return source.data->slice(0, source.data->size()).inputs.at(0);
  }
  TemporaryFolder folder_;
};

TEST_F(OpenSource, PassesOnWhatNothingIsAskedOf) {
  const Source source = open_with();
  EXPECT_EQ(source.batch_size, 256);
  EXPECT_EQ(source.data->size(), 3);
  EXPECT_EQ(inputs().sizes(), at::IntArrayRef({3, 2, 2, 2}));
  EXPECT_FLOAT_EQ(inputs()[1][0][0][1].item<float>(), 9.0F / 255);
}

TEST_F(OpenSource, Limit) {
  const Source source = open_with({{"limit", 2}, {"batch_size", 7}});
  EXPECT_EQ(source.batch_size, 7);
  EXPECT_EQ(source.data->size(), 2);
  EXPECT_TRUE(bit_equal(inputs({{"limit", 2}}), inputs().slice(0, 0, 2)));
  EXPECT_EQ(open_with({{"limit", 100}}).data->size(), 3);
  EXPECT_THAT([&] { source.data->gather({2}); },
              ThrowsError("no such sample", "0 to 1", "found 2"));
  EXPECT_THAT([&] { open_with({{"limit", 0}}); }, ThrowsError("/data/limit", ">= 1", "found 0"));
  EXPECT_THAT(
      [&] {
        open_with({{"batch_size", 0}});
      },
      ThrowsError("/data/batch_size", ">= 1", "found 0"));
}

TEST_F(OpenSource, Shape) {
  EXPECT_TRUE(bit_equal(inputs({{"shape", {8}}}), inputs().reshape({3, 8})));
  EXPECT_TRUE(bit_equal(inputs({{"shape", {4, 1, 2}}}), inputs().reshape({3, 4, 1, 2})));
  EXPECT_THAT(
      [&] {
        open_with({{"shape", {3, 3}}});
      },
      ThrowsError("do not fit the shape", "/data/shape", "8 numbers, a sample being [2, 2, 2]",
                  "[3, 3], 9 numbers"));
  EXPECT_THAT([&] { open_with({{"shape", {-1}}}); }, ThrowsError("/data/shape/0", ">= 1", "-1"));
}

TEST_F(OpenSource, ScaleThenMeanThenStd) {
  const at::Tensor raw = inputs();
  EXPECT_LT(max_difference(inputs({{"scale", 255}}), raw.mul(255)), 1e-6);
  EXPECT_LT(max_difference(inputs({{"scale", 255}, {"mean", {3}}, {"std", {2}}}),
                           raw.mul(255).sub(3).div(2)),
            1e-6);
}

TEST_F(OpenSource, MeanAndStdByChannel) {
  const at::Tensor raw = inputs();
  const at::Tensor got = inputs({{"mean", {0.1, 0.2}}, {"std", {0.5, 4}}});
  EXPECT_LT(max_difference(got.select(1, 0), raw.select(1, 0).sub(0.1).div(0.5)), 1e-6);
  EXPECT_LT(max_difference(got.select(1, 1), raw.select(1, 1).sub(0.2).div(4)), 1e-6);
  // The channels are those of the shape that was asked for.
  const at::Tensor flat = inputs({{"shape", {8}}, {"mean", {0, 1, 2, 3, 4, 5, 6, 7}}});
  EXPECT_LT(max_difference(flat.select(1, 7), raw.reshape({3, 8}).select(1, 7).sub(7)), 1e-6);
  EXPECT_EQ(got.dtype(), at::kFloat);
}

TEST_F(OpenSource, RefusesImpossibleValues) {
  EXPECT_THAT(
      [&] {
        open_with({{"mean", {1, 2, 3}}});
      },
      ThrowsError("wrong number of values", "/data/mean", "1 number or 2", "[2, 2, 2]",
                  "found 3 numbers"));
  EXPECT_THAT(
      [&] {
        open_with({{"std", json::array()}});
      },
      ThrowsError("/data/std", "found 0 numbers"));
  EXPECT_THAT([&] { open_with({{"std", {0}}}); }, ThrowsError("/data/std/0", "> 0", "found 0"));
  EXPECT_THAT([&] { open_with({{"scale", 0}}); }, ThrowsError("/data/scale", "other than 0"));
  EXPECT_THAT(
      [&] {
        open_with({{"scale", "big"}});
      },
      ThrowsError("/data/scale", "a number", "\"big\""));
}

TEST_F(OpenSource, KeepsFilesAndInvariants) {
  const Source source = open_with({{"limit", 2}, {"mean", {0.5}}});
  ASSERT_EQ(source.data->files().size(), 1U);
  EXPECT_EQ(source.data->files()[0].role, "images");
  expect_invariants(*source.data);
}

}  // namespace
}  // namespace descramble::test
