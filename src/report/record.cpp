#include "report/record.h"

#include "descramble/core/files.h"
#include "descramble/core/json.h"
#include "results/written_result.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

std::string Record::read(const std::string& file) const {
  return read_file(folder / file);
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
    (there ? record.files : record.missing).push_back(name);
  }
  return record;
}

}  // namespace

std::vector<Record> open_records(const std::vector<fs::path>& folders) {
  const std::vector<std::string> names = folder_names(folders);
  std::vector<Record> records;
  for (std::size_t i = 0; i < folders.size(); ++i) {
    records.push_back(open_record(folders[i]));
    records.back().name = names[i];
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
