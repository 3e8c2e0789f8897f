#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "descramble/cli/run.h"
#include "temporary_folder.h"

namespace descramble::test {

namespace fs = std::filesystem;
using nlohmann::json;

/// What a call of the command came to.
struct Outcome {
  int code = -1;
  std::string out{};
  std::string err{};
};

inline Outcome command(const std::vector<std::string>& args) {
  std::ostringstream out;
  std::ostringstream err;
  const int code = run(args, out, err);
  return {code, out.str(), err.str()};
}

/// A folder of the test's own, with the files that a config may name.
class CommandTest : public testing::Test {
 protected:
  fs::path at(const std::string& name) const { return folder_ / name; }

  static fs::path fixture(const std::string& name) { return fs::path(DESCRAMBLE_FIXTURES) / name; }
  static fs::path source(const std::string& name) { return fs::path(DESCRAMBLE_SOURCE_DIR) / name; }

  fs::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(at(name), std::ios::binary) << bytes;
    return at(name);
  }
  static std::string read(const fs::path& file) {
    std::ifstream stream(file, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  }

  /// The rows of a CSV file by column name.
  std::vector<std::map<std::string, std::string>> csv(const std::string& name) const {
    std::istringstream lines(read(at(name)));
    const auto cells = [](const std::string& line) {
      std::vector<std::string> result;
      std::istringstream stream(line);
      for (std::string cell; std::getline(stream, cell, ',');) result.push_back(cell);
      if (line.ends_with(',')) result.emplace_back();
      return result;
    };
    std::string line;
    std::getline(lines, line);
    const std::vector<std::string> names = cells(line);
    std::vector<std::map<std::string, std::string>> rows;
    while (std::getline(lines, line)) {
      const std::vector<std::string> values = cells(line);
      rows.emplace_back();
      for (std::size_t i = 0; i < names.size(); ++i) rows.back()[names[i]] = values.at(i);
    }
    return rows;
  }

  /// An IDX file of unsigned bytes.
  static std::string idx(const std::vector<std::uint32_t>& sizes, const std::string& values) {
    std::string bytes{'\0', '\0', '\x08', static_cast<char>(sizes.size())};
    for (const std::uint32_t size : sizes) {
      for (int shift = 24; shift >= 0; shift -= 8)
        bytes += static_cast<char>((size >> shift) & 0xff);
    }
    return bytes + values;
  }

  /// The shipped classifier on a few glyphs.
  static json small_config() {
    return {
        {"name", "small"},
        {"threads", 1},
        {"model", {{"kind", "torchscript"}, {"path", source("models/glyph_mlp.pt").string()}}},
        {"data",
         {{"train", {{"kind", "glyphs"}, {"count", 300}}},
          {"test", {{"kind", "glyphs"}, {"count", 100}}}}},
        {"steps",
         json::array(
             {{{"kind", "evaluate"}},
              {{"kind", "descramble"}, {"tap", "fc1"}, {"objective", {{"kind", "smoothness"}}}}})}};
  }

  /// Vectors of length 8 as data, for the fixtures that take them.
  json vector_data(std::uint32_t count = 12) const {
    std::string values;
    for (std::uint32_t i = 0; i < count * 8; ++i) values += static_cast<char>((i * 37) % 251);
    write("vectors", idx({count, 8}, values));
    std::string labels;
    for (std::uint32_t i = 0; i < count; ++i) labels += static_cast<char>(i % 3);
    write("labels", idx({count}, labels));
    return {{"kind", "idx"}, {"images", at("vectors").string()}, {"labels", at("labels").string()}};
  }

  Outcome run_config(const json& config, const std::vector<std::string>& more = {}) const {
    write("config.json", config.dump());
    std::vector<std::string> args{"run", at("config.json").string(), "--out", at("out").string()};
    args.insert(args.end(), more.begin(), more.end());
    return command(args);
  }

  /// Wrong use: exit code 2, one line on stderr with all the parts, no folder, no half-written
  /// sibling.
  void expect_refused(const Outcome& outcome, const std::vector<std::string>& parts,
                      int code = 2) const {
    EXPECT_EQ(outcome.code, code) << outcome.err;
    EXPECT_THAT(outcome.err, testing::StartsWith("descramble: "));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
    EXPECT_THAT(outcome.err, testing::Not(testing::HasSubstr("Traceback")));
    for (const std::string& part : parts) EXPECT_THAT(outcome.err, testing::HasSubstr(part));
    expect_no_leftovers();
  }

  void expect_no_leftovers() const {
    for (const fs::directory_entry& entry : fs::directory_iterator(folder_.path())) {
      EXPECT_THAT(entry.path().filename().string(), testing::Not(testing::HasSubstr(".partial")));
    }
  }

  TemporaryFolder folder_;
};

}  // namespace descramble::test
