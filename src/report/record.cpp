#include "report/record.h"

#include <algorithm>

#include "descramble/core/error.h"
#include "descramble/core/files.h"
#include "descramble/core/json.h"
#include "results/written_result.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

std::string Record::read(const std::string& file) const {
  return read_file(folder / file);
}

bool Record::has(const std::string& file) const {
  return std::find(files.begin(), files.end(), file) != files.end();
}

namespace {

Record open_record(const fs::path& folder) {
  Record record{.folder = folder, .result = read_result(folder)};
  std::error_code ignored;
  if (fs::exists(folder / "timings.json", ignored))
    record.timings = read_json(folder / "timings.json");
  for (const json& one : record.result.value("files", json::array())) {
    const std::string name = one.at("path");
    const bool plain = fs::path(name).filename() == fs::path(name);
    const bool there = plain && fs::is_regular_file(folder / name, ignored);
    if (!there) {
      record.missing.push_back(name);
    } else if (sha256_of_path(folder / name) != one.at("sha256").get<std::string>()) {
      record.changed.push_back(name);
    } else {
      record.files.push_back(name);
    }
  }
  record.figures = json::object();
  if (record.has("figures.json"))
    record.figures = read_json(folder / "figures.json").value("figures", json::object());
  return record;
}

}  // namespace

std::vector<Record> open_records(const std::vector<fs::path>& folders) {
  const std::vector<std::string> names = folder_names(folders);
  std::vector<Record> records;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    try {
      records.push_back(open_record(folders[i]));
    } catch (const json::exception& error) {
      throw Error(
          {"a damaged result", folders[i].string(), "what 'descramble run' writes", error.what()});
    }
    records.back().name = names[i];
  }
  return records;
}

}  // namespace descramble
