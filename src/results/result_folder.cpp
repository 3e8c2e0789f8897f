#include "results/result_folder.h"

#include <algorithm>

#include <fmt/format.h>
#include <sys/resource.h>

#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"
#include "descramble/core/json.h"
#include "results/figure_data.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

bool is_result_file(const fs::path& file) {
  try {
    const json document = read_json(file);
    return document.is_object() && document.contains("schema_version") &&
           document.contains("environment") && document["environment"].is_object() &&
           document["environment"].contains("descramble");
  } catch (const Error&) {
    return false;
  }
}

double Stopwatch::lap(const std::string& what) {
  const auto now = std::chrono::steady_clock::now();
  const double seconds = std::chrono::duration<double>(now - last_).count();
  last_ = now;
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  laps_.push_back({{"what", what},
                   {"seconds", seconds},
                   {"peak_memory_mb", static_cast<double>(usage.ru_maxrss) / 1024.0}});
  return seconds;
}

ResultFolder::ResultFolder(const fs::path& out, bool force)
    : folder_(out, {.force = force, .is_ours = is_result_file}) {}

void ResultFolder::add_file(const std::string& name, const std::string& bytes) {
  write_file(file(name), bytes);
  added_.push_back(name);
}

void ResultFolder::add_table(const Table& table) {
  const auto found = std::find_if(tables_.begin(), tables_.end(),
                                  [&](const Table& other) { return other.name == table.name; });
  if (found == tables_.end()) {
    tables_.push_back(table);
    return;
  }
  if (found->columns != table.columns) {
    throw Failure({"two tables of one name with different columns", table.name + ".csv",
                   quoted_list(found->columns), quoted_list(table.columns)});
  }
  found->rows.insert(found->rows.end(), table.rows.begin(), table.rows.end());
}

void ResultFolder::add_lines(const std::string& name, const std::vector<json>& lines) {
  std::string text;
  for (const json& line : lines) {
    write_json(line, name + ".jsonl");  // refuses numbers that are not finite
    text += line.dump() + "\n";
  }
  add_file(name + ".jsonl", text);
}

void ResultFolder::add_figure(const std::string& given, const Drawing& figure) {
  std::string name = given;
  std::replace(name.begin(), name.end(), '/', '_');  // taps may be named a/b
  figures_[name] = figure_data(figure);
  if (!std::holds_alternative<Strips>(figure) && !can_draw()) {
    warnings_.push_back(name + ".svg is not drawn: there is no gnuplot (install gnuplot-nox)");
    return;
  }
  std::visit([&](const auto& one) { write_svg(one, file(name + ".svg")); }, figure);
  added_.push_back(name + ".svg");
}

void ResultFolder::finish(json result, const NamedTensors& tensors, const json& timings) {
  for (const Table& table : tables_) add_file(table.name + ".csv", to_csv(table));
  if (!figures_.empty()) {
    const json figures = {{"schema_version", 1}, {"figures", figures_}};
    add_file("figures.json", figures.dump() + "\n");
  }
  save_safetensors(file("tensors.safetensors"), tensors);
  std::vector<std::string> names{"tensors.safetensors"};
  if (fs::exists(file("model.pt"))) names.insert(names.begin(), "model.pt");
  names.insert(names.end(), added_.begin(), added_.end());
  result["files"] = json::array();
  for (const std::string& name : names)
    result["files"].push_back({{"path", name}, {"sha256", sha256_of_path(file(name))}});
  result["warnings"] = warnings_;
  write_file(file("result.json"), write_json(result, "result.json"));
  write_file(file("timings.json"), write_json(timings, "timings.json"));
  check_interrupt();
  folder_.commit();
}

void add_check_tensors(const CheckSamples& check, NamedTensors& tensors) {
  for (std::size_t i = 0; i < check.inputs.size(); ++i) {
    tensors[i == 0 ? "check.inputs" : fmt::format("check.inputs.{}", i)] = check.inputs[i];
  }
  tensors["check.outputs"] = check.output;
}

}  // namespace descramble
