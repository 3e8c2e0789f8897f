#include <cstdlib>
#include <fstream>
#include <sstream>

#include <ATen/core/Tensor.h>

#include "data/support.h"

namespace descramble::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const fs::path picture_files = fs::path(DESCRAMBLE_SOURCE_DIR) / "tests/data/images";

std::string bytes_of(const fs::path& file) {
  std::ostringstream text;
  text << std::ifstream(file, std::ios::binary).rdbuf();
  return text.str();
}

class Images : public ::testing::Test {
 protected:
  Images() { fs::create_directory(folder_ / "pictures"); }
  /// Copies a picture of the fixtures into the folder.
  void put(const std::string& name, const std::string& as) const {
    fs::create_directories((folder_ / ("pictures/" + as)).parent_path());
    fs::copy_file(picture_files / name, folder_ / ("pictures/" + as));
  }
  void put_bytes(const std::string& bytes, const std::string& as) const {
    write(folder_ / ("pictures/" + as), bytes);
  }
  json source(const json& fields = json::object()) const {
    json value = {{"kind", "images"}, {"path", (folder_ / "pictures").string()}};
    value.update(fields);
    return value;
  }
  json with_table(const std::string& table, const json& fields = json::object()) const {
    write(folder_ / "labels.csv", table);
    json value = source(fields);
    value["labels"] = (folder_ / "labels.csv").string();
    return value;
  }
  /// One picture of the fixtures as a source makes it.
  at::Tensor decode(const std::string& name, const json& fields = json::object()) const {
    json value = {{"kind", "images"}, {"path", picture_files.string()}};
    value.update(fields);
    write(folder_ / "labels.csv", "file,label\n" + name + ",0\n");
    value["labels"] = (folder_ / "labels.csv").string();
    return open(value).data->slice(0, 1).inputs.at(0);
  }
  std::string at(const std::string& name) const { return (folder_ / name).string(); }
  TemporaryFolder folder_;
};

// ---- Decoding, against Pillow (make_images.py)
// ---------------------------------------------------

struct Framed {
  std::string name;
  std::int64_t resize;
  std::int64_t crop;
};

class ImagesFramed : public Images, public ::testing::WithParamInterface<Framed> {};

TEST_P(ImagesFramed, EqualsTorchvisionOnPillow) {
  const auto& [name, resize, crop] = GetParam();
  json fields = json::object();
  std::string expected = name + ".rgb";
  if (resize > 0) {
    fields["resize"] = resize;
    expected += ".resize" + std::to_string(resize);
  }
  if (crop > 0) {
    fields["crop"] = crop;
    expected += ".crop" + std::to_string(crop);
  }
  EXPECT_TRUE(bit_equal(decode(name + ".png", fields), decode(expected + ".png")));
}

INSTANTIATE_TEST_SUITE_P(All, ImagesFramed,
                         ::testing::Values(Framed{"wide", 0, 0}, Framed{"wide", 16, 0},
                                           Framed{"wide", 40, 0}, Framed{"wide", 23, 0},
                                           Framed{"wide", 0, 16}, Framed{"wide", 20, 15},
                                           Framed{"tall", 16, 0}, Framed{"tall", 5, 5}),
                         [](const auto& framed) {
                           return framed.param.name + "Resize" +
                                  std::to_string(framed.param.resize) + "Crop" +
                                  std::to_string(framed.param.crop);
                         });

class ImagesDecoded : public Images, public ::testing::WithParamInterface<std::string> {};

TEST_P(ImagesDecoded, NearlyEqualsPillow) {
  const std::string stem = GetParam().substr(0, GetParam().find('.'));
  const at::Tensor got = decode(GetParam());
  const at::Tensor expected = decode(stem + ".rgb.png");
  ASSERT_EQ(got.sizes(), at::IntArrayRef({1, 3, 32, 48}));
  // PNG is exact; JPEG decoders differ in rounding.
  const bool exact = GetParam().ends_with(".png");
  EXPECT_LE(max_difference(got, expected), exact ? 0 : 4.1 / 255);
  EXPECT_LE(got.sub(expected).abs().mean().item<double>(), exact ? 0 : 1.0 / 255);
}

INSTANTIATE_TEST_SUITE_P(All, ImagesDecoded,
                         ::testing::Values("colour.jpg", "progressive.jpg", "grey.jpg", "cmyk.jpg",
                                           "turned.jpg", "palette.png", "transparent.png",
                                           "lossless.webp", "lossy.webp"),
                         [](const auto& name) {
                           return name.param.substr(0, name.param.find('.'));
                         });

// ---- Folders and tables
// --------------------------------------------------------------------------

TEST_F(Images, OneFolderAClass) {
  put("wide.png", "cat/b.png");
  put("wide.rgb.png", "cat/a.PNG");
  put("wide.png", "Dog/x.jpeg");  // the content decides how it is decoded
  put_bytes("no picture", "readme.txt");
  put_bytes("no picture", "cat/notes.txt");
  put_bytes("no picture", ".hidden.png");
  const Source source = open(this->source());
  EXPECT_THAT(source.data->class_names(), ::testing::ElementsAre("Dog", "cat"));
  ASSERT_EQ(source.data->size(), 3);
  const Batch batch = source.data->slice(0, 3);
  EXPECT_EQ(batch.inputs.at(0).sizes(), at::IntArrayRef({3, 3, 23, 37}));
  EXPECT_EQ(batch.inputs[0].dtype(), at::kFloat);
  EXPECT_EQ(batch.labels[0].item<std::int64_t>(), 0);
  EXPECT_EQ(batch.labels[1].item<std::int64_t>(), 1);
  EXPECT_EQ(batch.labels[2].item<std::int64_t>(), 1);
  expect_invariants(*source.data);
  ASSERT_EQ(source.data->files().size(), 1U);
  EXPECT_EQ(source.data->files()[0].path, at("pictures"));
}

// A model that was trained on the classes 0 … 11 would else be scored on 0, 1, 10, 11, 2, …
TEST_F(Images, WarnsOfWhatItSkipsAndOfOrdersAndOrientations) {
  put("wide.png", "2/1.png");
  put("wide.png", "10/1.png");
  EXPECT_THAT(open(source()).data->warnings(),
              ::testing::ElementsAre(::testing::HasSubstr("classes in numeric order")));
  fs::rename(folder_ / "pictures/10", folder_ / "pictures/3");
  EXPECT_THAT(open(source()).data->warnings(), ::testing::IsEmpty());
  put_bytes("no picture", "2/notes.txt");
  put_bytes("GIF89a", "3/moving.gif");
  put("turned.jpg", "3/turned.jpg");
  EXPECT_THAT(open(source({{"crop", 8}})).data->warnings(),
              ::testing::ElementsAre(
                  "2 files are no JPEG, PNG or WebP and are skipped: 2/notes.txt, 3/moving.gif",
                  "1 of 3 images have an EXIF orientation, which is not applied"));
}

TEST_F(Images, RefusesBrokenWebP) {
  const std::string whole = bytes_of(picture_files / "lossless.webp");
  put("lossless.webp", "a/1.webp");
  for (std::size_t size = 12; size < whole.size(); size += 7) {
    put_bytes(whole.substr(0, size), "a/1.webp");
    EXPECT_THAT([&] { open(source()).data->slice(0, 1); }, ThrowsError("cannot decode the image"));
  }
}

TEST_F(Images, ClassesThatAreNumbersAreInNumericOrder) {
  const std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> cases = {
      {{"0", "1", "10", "11", "2", "9"}, {"0", "1", "2", "9", "10", "11"}},
      {{"007", "08", "1", "7"}, {"1", "007", "7", "08"}},
      {{"10", "9", "none"}, {"10", "9", "none"}},
      {{"class10", "class9"}, {"class10", "class9"}},
      {{"-1", "10", "9"}, {"-1", "10", "9"}},
      {{"123456789012345678901", "9"}, {"123456789012345678901", "9"}}};
  for (const auto& [folders, expected] : cases) {
    fs::remove_all(folder_ / "pictures");
    for (const std::string& name : folders) put("wide.png", name + "/1.png");
    EXPECT_EQ(open(source()).data->class_names(), expected);
  }
}

TEST_F(Images, TableOfLabels) {
  put("wide.png", "one.png");
  put("tall.png", "sub/two, or so.png");
  const Source source =
      open(with_table("\xef\xbb\xbf"
                      "file,label\r\none.png,7\r\n\r\n\"sub/two, or so.png\",3\r\n",
                      {{"crop", 20}, {"resize", 30}}));
  const Batch batch = source.data->slice(0, 2);
  EXPECT_EQ(batch.inputs.at(0).sizes(), at::IntArrayRef({2, 3, 20, 20}));
  EXPECT_EQ(batch.labels[0].item<std::int64_t>(), 7);
  EXPECT_EQ(batch.labels[1].item<std::int64_t>(), 3);
  ASSERT_EQ(source.data->files().size(), 2U);
  EXPECT_EQ(source.data->files()[1].role, "labels");
  expect_invariants(*source.data);
}

TEST_F(Images, RefusesAWrongTable) {
  put("wide.png", "one.png");
  const auto refused = [&](const std::string& table, int line, const std::string& expected,
                           const std::string& found) {
    EXPECT_THAT([&] { open(with_table(table)); },
                ThrowsError(at("labels.csv") + ":" + std::to_string(line), expected, found));
  };
  refused("", 1, "the header 'file,label'", "''");
  refused("one.png,1\n", 1, "the header 'file,label'", "'one.png,1'");
  refused("file,label\none.png,1\none.png,cat\n", 3, "an integer >= 0", "'cat'");
  refused("file,label\none.png,-1\n", 2, "an integer >= 0", "'-1'");
  refused("file,label\none.png,1.0\n", 2, "an integer >= 0", "'1.0'");
  refused("file,label\none.png,\n", 2, "an integer >= 0", "''");
  refused("file,label\none.png,99999999999999999999\n", 2, "an integer >= 0",
          "'99999999999999999999'");
  refused("file,label\none.png\n", 2, "a file and a label", "'one.png'");
  refused("file,label\none.png,1,2\n", 2, "a file and a label", "'one.png,1,2'");
  refused("file,label\n\"one.png,1\n", 2, "a file and a label", "\"one.png,1");
  refused("file,label\n\none.png,1\ntwo.png,1\n", 4, at("pictures/two.png"), "no such file");
  EXPECT_THAT(
      [&] { open(with_table("file,label\n")); },
      ThrowsError("no images in the table of labels", at("labels.csv"), "at least one line"));
}

TEST_F(Images, RefusesAnEmptyFolder) {
  EXPECT_THAT([&] { open(source()); },
              ThrowsError("no class folders", at("pictures"), "one folder a class, or 'labels'"));
  put("wide.png", "cat/a.png");
  fs::create_directory(folder_ / "pictures/dog");
  EXPECT_THAT([&] { open(source()); },
              ThrowsError("no images in the class folder", at("pictures/dog"), "at least one"));
}

TEST_F(Images, RefusesAFileInPlaceOfAFolder) {
  EXPECT_THAT(
      [&] {
        open({{"kind", "images"}, {"path", (picture_files / "wide.png").string()}});
      },
      ThrowsError("not a folder of images", "wide.png", "a folder", "a file"));
}

// ---- Broken pictures
// -----------------------------------------------------------------------------

class ImagesBroken : public Images {
 protected:
  void expect_refused(const std::string& bytes, const std::string& found) {
    put_bytes(bytes, "broken.jpg");
    EXPECT_THAT([&] { open(with_table("file,label\nbroken.jpg,0\n")); },
                ThrowsError("cannot decode the image", at("pictures/broken.jpg"),
                            "a whole JPEG, PNG or WebP", found));
  }
};

TEST_F(ImagesBroken, Garbage) {
  expect_refused("", "an empty file");
  expect_refused("GIF89a and so on", "none of them");
  expect_refused("\xff\xd8\xff and so on", "found");
  expect_refused(std::string("\xff\xd8\xff\xd9"), "a JPEG without a picture");
  expect_refused("\x89PNG\r\n\x1a\n", "truncated PNG");
}

TEST_F(ImagesBroken, EveryTruncatedJpeg) {
  for (const char* name : {"colour.jpg", "progressive.jpg"}) {
    const std::string whole = bytes_of(picture_files / name);
    for (std::size_t size = 4; size + 1 < whole.size(); size += 13)
      expect_refused(whole.substr(0, size), "");
    expect_refused(whole.substr(0, whole.size() - 1), "a truncated JPEG (no end marker)");
  }
}

TEST_F(ImagesBroken, TruncatedJpegWithTheEndMarkerOfAThumbnail) {
  std::string bytes = bytes_of(picture_files / "colour.jpg");
  bytes.insert(2, "\xff\xe1\x00\x08\xff\xda\xff\xd9\xff\xd9", 10);
  put_bytes(bytes, "whole.jpg");
  EXPECT_EQ(open(with_table("file,label\nwhole.jpg,0\n")).data->size(), 1);
  expect_refused(bytes.substr(0, bytes.size() - 40), "a truncated JPEG");
}

TEST_F(ImagesBroken, JpegFollowedByOtherBytes) {
  put_bytes(bytes_of(picture_files / "colour.jpg") + "the camera's own notes", "whole.jpg");
  EXPECT_EQ(open(with_table("file,label\nwhole.jpg,0\n")).data->size(), 1);
}

TEST_F(ImagesBroken, EveryTruncatedPng) {
  const std::string whole = bytes_of(picture_files / "wide.png");
  for (std::size_t size = 8; size < whole.size(); size += 11)
    expect_refused(whole.substr(0, size), "a truncated PNG");
}

TEST_F(ImagesBroken, FlippedByteInAPng) {
  const std::string whole = bytes_of(picture_files / "wide.png");
  for (std::size_t i = 8; i < whole.size(); i += 11) {
    std::string bytes = whole;
    bytes[i] = static_cast<char>(bytes[i] ^ 0x04);
    expect_refused(bytes, "PNG");
  }
}

TEST_F(ImagesBroken, IsNamedAmongOthers) {
  std::string table = "file,label\n";
  for (int i = 0; i < 12; ++i) {
    const std::string name = std::to_string(i) + ".png";
    if (i == 7 || i == 9) {
      put_bytes("garbage", name);
    } else {
      put("wide.png", name);
    }
    table += name + ",0\n";
  }
  const Source source = open(with_table(table));
  EXPECT_THAT([&] { source.data->slice(0, 12); },
              ThrowsError("cannot decode the image", at("pictures/7.png")));
}

// ---- Sizes
// ---------------------------------------------------------------------------------------

TEST_F(Images, RefusesDifferentSizesWithoutCrop) {
  put("wide.png", "a/1.png");
  put("tall.png", "a/2.png");
  const Source source = open(this->source());
  EXPECT_THAT([&] { source.data->slice(0, 2); },
              ThrowsError("images differ in size (set 'crop')", at("pictures/a/2.png"),
                          "23 high, 37 wide", at("pictures/a/1.png"), "found 37 high, 23 wide"));
  EXPECT_EQ(open(this->source({{"crop", 23}})).data->slice(0, 2).inputs[0].size(0), 2);
}

TEST_F(Images, RefusesACropLargerThanTheImage) {
  put("wide.png", "a/1.png");
  EXPECT_THAT(
      [&] {
        open(source({{"crop", 24}}));
      },
      ThrowsError("set 'resize'", at("pictures/a/1.png"), "at least 24 high, 24 wide",
                  "23 high, 37 wide"));
  EXPECT_THAT(
      [&] {
        open(source({{"resize", 10}, {"crop", 24}}));
      },
      ThrowsError("'resize' makes the image smaller than 'crop'", "found 10 high, 16 wide"));
  EXPECT_THAT([&] { open(source({{"crop", 0}})); }, ThrowsError("/data/crop", ">= 1"));
}

// Channel means of the 200 central crops, by Pillow 13 and numpy. Another JPEG decoder differs by
// less.
TEST(RealImages, AreRead) {
  const char* folder = std::getenv("DESCRAMBLE_DATA");
  if (folder == nullptr) GTEST_SKIP() << without_data("imagenet200");
  const Source source = open({{"kind", "images"},
                              {"path", "imagenet200"},
                              {"labels", "imagenet200/labels.csv"},
                              {"resize", 256},
                              {"crop", 224}});
  ASSERT_EQ(source.data->size(), 200);
  const Batch batch = source.data->slice(0, 200);
  EXPECT_EQ(batch.inputs[0].sizes(), at::IntArrayRef({200, 3, 224, 224}));
  EXPECT_EQ(batch.labels[199].item<std::int64_t>(), 995);
  const at::Tensor mean = batch.inputs[0].to(at::kDouble).mean({0, 2, 3});
  const double expected[] = {0.48475511, 0.44999424, 0.39798202};
  for (std::int64_t i = 0; i < 3; ++i) EXPECT_NEAR(mean[i].item<double>(), expected[i], 0.001);
}

}  // namespace
}  // namespace descramble::test
