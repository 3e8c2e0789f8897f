#include <cstdlib>
#include <fstream>
#include <sstream>

#include <ATen/core/Tensor.h>

#include "data/support.h"

namespace descramble::test {
namespace {

using nlohmann::json;

const std::string four_images(
    "\x00\x01\x02\x03\x10\x20\x30\x40\xff\xfe\xfd\xfc\x7f\x80\x81\x82"
    "\x05\x06\x07\x08\x50\x60\x70\x80",
    24);
const std::string four_labels("\x03\x00\x09\x03", 4);

class Idx : public ::testing::Test {
 protected:
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  /// Writes four images of 2 × 3 and their labels, gzipped or not.
  void write_four(void (*how)(const std::filesystem::path&, const std::string&)) {
    how(folder_ / "x", idx({4, 2, 3}, four_images));
    how(folder_ / "y", idx({4}, four_labels));
  }
  json both() const { return {{"kind", "idx"}, {"images", at("x")}, {"labels", at("y")}}; }
  void expect_refused(const std::string& bytes, const std::string& what,
                      const std::string& expected, const std::string& found) const {
    write(folder_ / "bad", bytes);
    EXPECT_THAT(
        [&] {
          open({{"kind", "idx"}, {"images", at("bad")}});
        },
        ThrowsError(what, at("bad"), expected, found));
  }
  TemporaryFolder folder_;
};

class IdxBothWays : public Idx, public ::testing::WithParamInterface<bool> {};

TEST_P(IdxBothWays, ReadsImagesAndLabels) {
  write_four(GetParam() ? write_gzipped : write);
  const Source source = open(both());
  EXPECT_EQ(source.data->size(), 4);
  const Batch batch = source.data->gather({2, 0});
  EXPECT_EQ(batch.inputs.at(0).sizes(), at::IntArrayRef({2, 1, 2, 3}));
  EXPECT_EQ(batch.inputs[0].dtype(), at::kFloat);
  EXPECT_EQ(batch.inputs[0][1][0][1][0].item<float>(), 3.0F / 255.0F);
  EXPECT_EQ(batch.inputs[0][0][0][0][2].item<float>(), 0x81 / 255.0F);
  EXPECT_EQ(batch.labels[0].item<std::int64_t>(), 9);
  EXPECT_EQ(batch.labels[1].item<std::int64_t>(), 3);
  expect_invariants(*source.data);
}

INSTANTIATE_TEST_SUITE_P(All, IdxBothWays, ::testing::Bool(),
                         [](const auto& gzipped) { return gzipped.param ? "Gzipped" : "Plain"; });

TEST_F(Idx, NamesItsFiles) {
  write_four(write);
  const std::vector<InputFile> files = open(both()).data->files();
  ASSERT_EQ(files.size(), 2U);
  EXPECT_EQ(files[0].role, "images");
  EXPECT_EQ(files[0].given, at("x"));
  EXPECT_EQ(files[1].role, "labels");
  EXPECT_EQ(files[1].path, at("y"));
}

TEST_F(Idx, FindsFilesBesideTheConfig) {
  write_four(write);
  const DataContext context{.paths = {.beside = folder_.path()}};
  EXPECT_EQ(open({{"kind", "idx"}, {"images", "x"}}, context).data->size(), 4);
  EXPECT_THAT(
      [&] {
        open({{"kind", "idx"}, {"images", "z"}}, context);
      },
      ThrowsError("no such file or folder: 'z'", "/data/images", at("z")));
}

TEST_F(Idx, LabelsAreOptional) {
  write_four(write);
  const Source source = open({{"kind", "idx"}, {"images", at("x")}});
  EXPECT_FALSE(source.data->has_labels());
  EXPECT_EQ(source.data->files().size(), 1U);
  expect_invariants(*source.data);
}

TEST_F(Idx, VectorsAndChannels) {
  write(folder_ / "v", idx({2, 3}, "\x01\x02\x03\x04\x05\x06"));
  EXPECT_EQ(open({{"kind", "idx"}, {"images", at("v")}}).data->slice(0, 2).inputs[0].sizes(),
            at::IntArrayRef({2, 3}));
  write(folder_ / "c", idx({1, 3, 2, 1}, "\x01\x02\x03\x04\x05\x06"));
  EXPECT_EQ(open({{"kind", "idx"}, {"images", at("c")}}).data->slice(0, 1).inputs[0].sizes(),
            at::IntArrayRef({1, 3, 2, 1}));
}

TEST_F(Idx, RefusesAWrongHeader) {
  expect_refused("", "not an IDX file", "a header", "fewer");
  expect_refused(std::string("\x00\x00", 2), "not an IDX file", "a header", "fewer");
  expect_refused("PK\x03\x04 and so on", "not an IDX file of unsigned bytes", "00 00 08",
                 "50 4b 03 04");
  expect_refused(idx({1, 1, 1}, "aaaa", 0x0d), "not an IDX file of unsigned bytes", "00 00 08",
                 "00 00 0d 03");
  expect_refused(idx({}, ""), "not an IDX file of unsigned bytes", "number of dimensions",
                 "00 00 08 00");
  expect_refused(idx({4, 2, 3}, "").substr(0, 13), "truncated IDX file",
                 "3 dimensions in the header", "found 2");
}

TEST_F(Idx, RefusesTheWrongNumberOfBytes) {
  const std::string whole = idx({4, 2, 3}, four_images);
  expect_refused(whole.substr(0, whole.size() - 1), "truncated IDX file",
                 "24 bytes behind the header, as 4 x 2 x 3 says", "found 23");
  expect_refused(idx({4, 2, 3}, ""), "truncated IDX file", "24 bytes", "fewer");
  expect_refused(whole + "ab", "trailing bytes", "24 bytes", "found 2 more");
}

TEST_F(Idx, RefusesNoSamples) {
  expect_refused(idx({0, 28, 28}, ""), "no samples in the file", "at least one", "0 x 28 x 28");
  expect_refused(idx({2, 28, 0}, ""), "empty samples in the file", "no dimension of 0",
                 "2 x 28 x 0");
}

TEST_F(Idx, AHeaderCannotAskForAnyAmountOfMemory) {
  const std::vector<std::uint32_t> huge{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff};
  expect_refused(idx(huge, "abc"), "truncated IDX file", "4294967295 x", "fewer");
  write_gzipped(folder_ / "z", idx(huge, "abc"));
  EXPECT_THAT(
      [&] {
        open({{"kind", "idx"}, {"images", at("z")}});
      },
      ThrowsError("truncated IDX file", at("z")));
}

TEST_F(Idx, RefusesADamagedGzipFile) {
  std::string noise;
  for (unsigned i = 0; i < 4000; ++i) noise += static_cast<char>(i * i >> 3);
  write_gzipped(folder_ / "x", idx({4, 10, 100}, noise));
  std::ostringstream text;
  text << std::ifstream(folder_ / "x", std::ios::binary).rdbuf();
  const std::string whole = text.str();

  const auto refused = [&](std::string bytes, const std::string& found) {
    expect_refused(bytes, "damaged gzip file", "a whole gzip stream", found);
  };
  std::string checksum = whole;
  checksum[whole.size() - 6] = static_cast<char>(checksum[whole.size() - 6] ^ 1);
  refused(checksum, "incorrect data check");
  std::string length = whole;
  length.back() = 1;
  refused(length, "incorrect length check");
  refused(whole.substr(0, whole.size() / 2), "unexpected end of file");
  refused(whole.substr(0, whole.size() - 3), "unexpected end of file");
}

TEST_F(Idx, RefusesAFlippedByteAnywhereBehindTheGzipHeader) {
  write_gzipped(folder_ / "x", idx({4, 2, 3}, four_images));
  std::ostringstream text;
  text << std::ifstream(folder_ / "x", std::ios::binary).rdbuf();
  const std::string whole = text.str();
  for (std::size_t i = 10; i < whole.size(); ++i) {
    std::string bytes = whole;
    bytes[i] = static_cast<char>(bytes[i] ^ 0x10);
    write(folder_ / "bad", bytes);
    EXPECT_THAT(
        [&] {
          open({{"kind", "idx"}, {"images", at("bad")}});
        },
        ThrowsError(at("bad")))
        << "byte " << i;
  }
}

TEST_F(Idx, RefusesLabelsOfAnotherLength) {
  write_four(write);
  write(folder_ / "y", idx({3}, "\x01\x02\x03"));
  EXPECT_THAT([&] { open(both()); }, ThrowsError("images and labels differ in number", "/data",
                                                 "4 labels", at("x"), "found 3 in " + at("y")));
}

TEST_F(Idx, RefusesImagesAndLabelsTheWrongWayRound) {
  write_four(write);
  EXPECT_THAT(
      [&] {
        open({{"kind", "idx"}, {"images", at("y")}, {"labels", at("x")}});
      },
      ThrowsError("not a file of images", at("y"), "at least 2 dimensions"));
  EXPECT_THAT(
      [&] {
        open({{"kind", "idx"}, {"images", at("x")}, {"labels", at("x")}});
      },
      ThrowsError("not a file of labels", at("x"), "1 dimension", "4 x 2 x 3"));
}

TEST_F(Idx, RefusesAFolder) {
  EXPECT_THAT(
      [&] {
        open({{"kind", "idx"}, {"images", folder_.path().string()}});
      },
      ThrowsError("cannot read", folder_.path().string(), "a file", "a folder"));
}

// What the files hold, by numpy: shapes, the sum of all bytes of the test images, the first labels.
TEST(RealMnist, IsRead) {
  const char* folder = std::getenv("DESCRAMBLE_DATA");
  if (folder == nullptr) GTEST_SKIP() << without_data("MNIST");
  const Source train = open({{"kind", "idx"},
                             {"images", "mnist/train-images-idx3-ubyte.gz"},
                             {"labels", "mnist/train-labels-idx1-ubyte.gz"}});
  const Source test = open({{"kind", "idx"},
                            {"images", "mnist/t10k-images-idx3-ubyte.gz"},
                            {"labels", "mnist/t10k-labels-idx1-ubyte.gz"}});
  ASSERT_EQ(train.data->size(), 60000);
  ASSERT_EQ(test.data->size(), 10000);
  const Batch all = test.data->slice(0, 10000);
  EXPECT_EQ(all.inputs[0].sizes(), at::IntArrayRef({10000, 1, 28, 28}));
  EXPECT_EQ(all.inputs[0].to(at::kDouble).mul(255).round().sum().item<double>(), 264923200);
  const Batch first = train.data->slice(0, 5);
  const std::int64_t labels[] = {5, 0, 4, 1, 9};
  for (std::int64_t i = 0; i < 5; ++i) EXPECT_EQ(first.labels[i].item<std::int64_t>(), labels[i]);
  EXPECT_THAT(
      [&] {
        open({{"kind", "idx"},
              {"images", "mnist/train-images-idx3-ubyte.gz"},
              {"labels", "mnist/t10k-labels-idx1-ubyte.gz"}});
      },
      ThrowsError("images and labels differ in number", "60000 labels", "found 10000"));
}

}  // namespace
}  // namespace descramble::test
