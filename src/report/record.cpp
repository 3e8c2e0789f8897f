#include "report/record.h"

#include <set>

#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/core/files.h"
#include "descramble/core/json.h"
#include "results/result_folder.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

std::string Record::read(const std::string& file) const {
  return read_file(folder / file);
}

namespace {

std::string last_name(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

Record open_record(const fs::path& folder) {
  Record record{.folder = folder, .name = last_name(folder)};
  std::error_code ignored;
  const fs::path file = folder / "result.json";
  if (!fs::is_regular_file(file, ignored)) {
    throw Error({"not a result folder", "'" + folder.string() + "'",
                 "a folder with the result.json of a run", "none"});
  }
  if (!is_result_file(file)) {
    throw Error(
        {"not the result of a run", file.string(), "what this program writes", "something else"});
  }
  record.result = read_json(file);
  const json version = record.result.at("schema_version");
  if (version != 1) {
    throw Error({"a result of another version", file.string(), "schema_version 1", version.dump()});
  }
  if (!record.result.contains("steps") || !record.result["steps"].is_array())
    throw Error({"a damaged result", file.string(), "a list of steps", "none"});
  if (fs::exists(folder / "timings.json", ignored))
    record.timings = read_json(folder / "timings.json");
  for (const json& one : record.result.value("files", json::array())) {
    const std::string name = one.at("path");
    const bool plain = fs::path(name).filename() == fs::path(name);
    const bool there = plain && fs::is_regular_file(folder / name, ignored);
    (there ? record.files : record.missing).push_back(name);
  }
  return record;
}

}  // namespace

std::vector<Record> open_records(const std::vector<fs::path>& folders) {
  if (folders.empty()) throw Error({"nothing to report", "folders", "one result folder", "none"});
  std::vector<Record> records;
  std::set<std::string> names;
  std::set<fs::path> places;
  for (const fs::path& folder : folders) {
    records.push_back(open_record(folder));
    names.insert(records.back().name);
    if (!places.insert(fs::weakly_canonical(folder)).second)
      throw Error({"a folder is named twice", "folders", "each once", "'" + folder.string() + "'"});
  }
  if (names.size() < records.size()) {
    for (Record& record : records) record.name = record.folder.string();
  }
  return records;
}

std::vector<std::vector<std::string>> parse_csv(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  std::vector<std::string> row;
  std::string cell;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c != '"') {
        cell += c;
      } else if (i + 1 < text.size() && text[i + 1] == '"') {
        cell += '"';
        ++i;
      } else {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',' || c == '\n') {
      row.push_back(std::move(cell));
      cell.clear();
      if (c == '\n') {
        rows.push_back(std::move(row));
        row.clear();
      }
    } else if (c != '\r') {
      cell += c;
    }
  }
  return rows;
}

}  // namespace descramble
