#include "results/written_result.h"

#include <set>

#include <nlohmann/json.hpp>

#include "descramble/core/error.h"
#include "descramble/core/json.h"
#include "results/result_folder.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

json read_result(const fs::path& folder) {
  const fs::path file = folder / "result.json";
  std::error_code ignored;
  if (!fs::is_regular_file(file, ignored)) {
    throw Error({"not a result folder", "'" + folder.string() + "'",
                 "a folder with the result.json of a run", "none"});
  }
  if (!is_result_file(file)) {
    throw Error(
        {"not the result of a run", file.string(), "what this program writes", "something else"});
  }
  json result = read_json(file);
  const json version = result.at("schema_version");
  if (version != 1) {
    throw Error({"a result of another version", file.string(), "schema_version 1", version.dump()});
  }
  if (!result.contains("steps") || !result["steps"].is_array())
    throw Error({"a damaged result", file.string(), "a list of steps", "none"});
  return result;
}

namespace {

/// "runs/mnist/" is "mnist".
std::string last_name(const fs::path& folder) {
  const fs::path whole = fs::absolute(folder).lexically_normal();
  return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

}  // namespace

std::vector<std::string> folder_names(const std::vector<fs::path>& folders) {
  if (folders.empty()) throw Error({"no result folder", "folders", "one or more", "none"});
  std::vector<std::string> names;
  std::set<std::string> known;
  std::set<fs::path> places;
  for (const fs::path& folder : folders) {
    if (folder.empty()) throw Error({"no result folder", "folders", "a path", "''"});
    names.push_back(last_name(folder));
    known.insert(names.back());
    if (!places.insert(fs::weakly_canonical(folder)).second)
      throw Error({"a folder is named twice", "folders", "each once", "'" + folder.string() + "'"});
  }
  if (known.size() == names.size()) return names;
  for (std::size_t i = 0; i < folders.size(); ++i) names[i] = folders[i].string();
  return names;
}

}  // namespace descramble
