// Five hundred damaged files of all kinds: each is read all the same, or refused in one printable
// line with exit code 2.

#include <algorithm>

#include "cli/command.h"
#include "descramble/core/error.h"
#include "descramble/core/random.h"

namespace descramble::test {
namespace {

class DamagedInput : public CommandTest {
 protected:
  /// Cuts the bytes off, changes one to sixteen of them, or removes or doubles a stretch.
  static std::string damaged(std::string bytes, RandomStream& stream) {
    const auto below = [&](std::size_t n) {
      return static_cast<std::size_t>(stream.below(static_cast<std::int64_t>(n)));
    };
    const std::size_t begin = below(bytes.size());
    const std::size_t length = std::min(bytes.size() - begin, 1 + below(64));
    switch (stream.below(4)) {
      case 0:
        bytes.resize(begin);
        break;
      case 1:
        for (std::size_t i = 0; i <= below(16); ++i)
          bytes[below(bytes.size())] = static_cast<char>(stream.below(256));
        break;
      case 2:
        bytes.erase(begin, length);
        break;
      default:
        bytes.insert(begin, bytes.substr(begin, length));
    }
    return bytes;
  }

  void expect_one_printable_line(const Outcome& outcome, const std::string& what) {
    if (outcome.code == 0) return;  // the damage did not matter
    EXPECT_EQ(outcome.code, 2) << what << ": " << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << what << outcome.err;
    EXPECT_LT(outcome.err.size(), 1200U) << what << outcome.err;
    EXPECT_EQ(outcome.err, printable(outcome.err.substr(0, outcome.err.size() - 1)) + "\n") << what;
    EXPECT_THAT(outcome.err, testing::Not(testing::HasSubstr(".partial-"))) << what;
    expect_no_leftovers();
  }

  static constexpr std::uint64_t each = 100;
};

TEST_F(DamagedInput, Archives) {
  for (std::uint64_t i = 0; i < each; ++i) {
    RandomStream stream = random_stream(1, "damaged/archive", i);
    const char* name = i % 2 == 0 ? "mlp.pt" : "frozen.pt";
    write("model.pt", damaged(read(fixture(name)), stream));
    expect_one_printable_line(command({"taps", at("model.pt").string()}),
                              "archive " + std::to_string(i));
  }
}

TEST_F(DamagedInput, Configs) {
  const std::string whole = small_config().dump(1);
  for (std::uint64_t i = 0; i < each; ++i) {
    RandomStream stream = random_stream(1, "damaged/config", i);
    write("config.json", damaged(whole, stream));
    expect_one_printable_line(command({"check", at("config.json").string()}),
                              "config " + std::to_string(i));
  }
}

TEST_F(DamagedInput, IdxFiles) {
  json config = small_config();
  config["steps"] = json::array({{{"kind", "statistics"}, {"taps", "fc1"}}});
  config["model"]["path"] = fixture("mlp.pt").string();
  config["data"] = vector_data();
  const std::string images = read(at("vectors"));
  const std::string labels = read(at("labels"));
  for (std::uint64_t i = 0; i < each; ++i) {
    RandomStream stream = random_stream(1, "damaged/idx", i);
    write("vectors", i % 2 == 0 ? damaged(images, stream) : images);
    write("labels", i % 2 == 0 ? labels : damaged(labels, stream));
    expect_one_printable_line(run_config(config, {"--force", "--quiet"}),
                              "idx " + std::to_string(i));
  }
}

TEST_F(DamagedInput, ImagesAndTables) {
  json config = small_config();
  config["steps"] = json::array({{{"kind", "statistics"}, {"taps", "features.0"}}});
  config["model"]["path"] = fixture("conv_inplace_scripted.pt").string();
  config["data"] = {{"kind", "images"},
                    {"path", at("pictures").string()},
                    {"labels", at("labels.csv").string()},
                    {"crop", 8}};
  fs::create_directories(at("pictures"));
  const std::vector<std::string> names{"colour.jpg", "wide.png", "lossless.webp"};
  const std::string table = "file,label\ncolour.jpg,0\nwide.png,1\nlossless.webp,2\n";
  const auto whole = [&](const std::string& name) {
    return read(source("tests/data/images/" + name));
  };
  for (std::uint64_t i = 0; i < 2 * each; ++i) {
    RandomStream stream = random_stream(1, "damaged/images", i);
    const auto broken = static_cast<std::size_t>(i % 4);
    for (std::size_t k = 0; k < names.size(); ++k) {
      const std::string bytes = whole(names[k]);
      write("pictures/" + names[k], k == broken ? damaged(bytes, stream) : bytes);
    }
    write("labels.csv", broken == 3 ? damaged(table, stream) : table);
    expect_one_printable_line(run_config(config, {"--force", "--quiet"}),
                              "images " + std::to_string(i));
  }
}

}  // namespace
}  // namespace descramble::test
