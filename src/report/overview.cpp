#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/markup.h"
#include "report/html.h"
#include "report/sections.h"

namespace descramble {

using nlohmann::json;

std::string step_id(std::size_t number, std::size_t step) {
  return fmt::format("run-{}-step-{}", number, step);
}

std::vector<std::string> taps_of(const json& step) {
  std::vector<std::string> taps;
  const auto add = [&](const json& value) {
    const json name = value.is_object() ? value.value("name", json()) : value;
    if (name.is_string()) taps.push_back(name);
  };
  if (step.contains("taps") && step["taps"].is_array()) {
    for (const json& tap : step["taps"]) add(tap);
  }
  for (const char* key : {"tap", "from", "to"}) {
    if (step.contains(key)) add(step[key]);
  }
  return taps;
}

std::string overview_section(const Record& record) {
  const json& result = record.result;
  const json& environment = result["environment"];
  double seconds = 0;
  double memory = 0;
  if (record.timings.is_object()) {
    for (const json& lap : record.timings.value("laps", json::array())) {
      seconds += lap.value("seconds", 0.0);
      memory = std::max(memory, lap.value("peak_memory_mb", 0.0));
    }
  }
  HtmlTable facts{.columns = {"Fact", "Value"}};
  const auto add = [&](const std::string& name, const std::string& value) {
    facts.rows.push_back({name, value});
  };
  const auto text = [](const json& value) {
    return value.is_string() ? value.get<std::string>() : value.dump();
  };
  add("Experiment", text(result.value("name", json(""))));
  add("Program", fmt::format("descramble {}, LibTorch {}, {}, {} {}",
                             text(environment.value("descramble", json("?"))),
                             text(environment.value("libtorch", json("?"))),
                             text(environment.value("device", json("?"))),
                             text(environment.value("threads", json("?"))),
                             environment.value("threads", json()) == 1 ? "thread" : "threads"));
  if (seconds > 0)
    add("Took", fmt::format("{:.1f} s, at most {:.0f} MiB of memory", seconds, memory));
  for (const json& input : result.value("inputs", json::array())) {
    add(text(input.value("role", json("file"))),
        fmt::format("{}  (SHA-256 {}…)", text(input.value("path", json(""))),
                    text(input.value("sha256", json(""))).substr(0, 12)));
  }
  std::string body = html_table(facts);
  for (const json& warning : result.value("warnings", json::array()))
    body += element("p", "Warning: " + markup(text(warning)), "warning");
  for (const std::string& file : record.missing)
    body += element("p", "Missing: " + markup(file) + " is no longer in the folder", "warning");
  body +=
      details("The whole config", element("pre", markup(result.value("config", json()).dump(2))));
  return body;
}

namespace {

void flatten(const json& value, const std::string& pointer,
             std::map<std::string, std::string>& leaves) {
  if (value.is_structured() && !value.empty()) {
    for (const auto& [key, inner] : value.items()) flatten(inner, pointer + "/" + key, leaves);
    return;
  }
  leaves[pointer] = value.dump();
}

}  // namespace

std::string differences_section(const std::vector<Record>& records) {
  if (records.size() < 2) return "";
  std::vector<std::map<std::string, std::string>> all;
  std::map<std::string, std::string> places;
  for (const Record& record : records) {
    all.emplace_back();
    flatten(record.result.value("config", json()), "", all.back());
    for (const auto& [pointer, value] : all.back()) places[pointer];
  }
  HtmlTable table{.columns = {"Field"}};
  for (const Record& record : records) table.columns.push_back(record.name);
  for (const auto& [pointer, unused] : places) {
    std::vector<std::string> row{pointer};
    bool same = true;
    for (const auto& leaves : all) {
      const auto found = leaves.find(pointer);
      row.push_back(found == leaves.end() ? "" : found->second);
      same = same && row.back() == row[1];
    }
    if (!same) table.rows.push_back(std::move(row));
  }
  std::string models;
  std::map<std::string, int> hashes;
  for (const Record& record : records) {
    for (const json& input : record.result.value("inputs", json::array())) {
      if (input.value("role", "") == "model") ++hashes[input.value("sha256", "")];
    }
  }
  if (hashes.size() > 1) {
    models = element("p",
                     "The runs are of different models: layers of the same name are not the same "
                     "layer.",
                     "warning");
  }
  if (table.rows.empty()) return models + element("p", "The configs are the same.");
  return models + details(fmt::format("{} fields differ between the configs", table.rows.size()),
                          html_table(table));
}

}  // namespace descramble
