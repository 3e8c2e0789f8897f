#include <cstdlib>
#include <filesystem>

#include <fmt/format.h>

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
  // A matrix that is read belongs to a layer.
  if (step.contains("matrix") && step["matrix"].is_object())
    add(step["matrix"].value("layer", json()));
  return taps;
}

namespace {

/// Whether a path of the config leads to something from here: as it is, from the folder of the
/// data, or from the folder of the configs.
bool is_found(const std::string& given) {
  namespace fs = std::filesystem;
  const fs::path path(given);
  const char* data = std::getenv("DESCRAMBLE_DATA");
  std::error_code ignored;
  for (const fs::path& base :
       {fs::path(), fs::path(data == nullptr ? "" : data), fs::path("configs")}) {
    if (fs::exists(base / path, ignored)) return true;
  }
  return false;
}

}  // namespace

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
        fmt::format("{}  (SHA-256 {}…){}", text(input.value("path", json(""))),
                    text(input.value("sha256", json(""))).substr(0, 12),
                    is_found(text(input.value("path", json("")))) ? "" : ", not found from here"));
  }
  std::string body = html_table(facts);
  for (const json& warning : result.value("warnings", json::array()))
    body += element("p", "Warning: " + markup(text(warning)), "warning");
  for (const std::string& file : record.missing)
    body += element("p", "Missing: " + markup(file) + " is no longer in the folder", "warning");
  for (const std::string& file : record.changed) {
    body +=
        element("p", "Changed: " + markup(file) + " is not what the run wrote, and is not shown",
                "warning");
  }
  body +=
      details("The whole config", element("pre", markup(result.value("config", json()).dump(2))));
  return body;
}

}  // namespace descramble
