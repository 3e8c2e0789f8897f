#include "results/answers.h"

#include <nlohmann/json.hpp>

#include "descramble/core/error.h"
#include "results/written_result.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

template <typename Value>
std::optional<Value> if_there(const json& value) {
  return value.is_null() ? std::nullopt : std::optional(value.get<Value>());
}

void add_reading(const json& reading, WrittenAnswer common, std::vector<WrittenAnswer>& answers) {
  for (const json& answer : reading.at("answers")) {
    WrittenAnswer one = common;
    one.name = answer.at("name");
    one.value = answer.at("value");
    one.unit = if_there<std::string>(answer.at("unit")).value_or("");
    one.uncertainty = if_there<double>(answer.at("uncertainty"));
    for (const auto& [control, its] : reading.at("controls").items()) {
      for (const json& other : its) {
        if (other.at("name") == one.name) one.controls.emplace_back(control, other.at("value"));
      }
    }
    answers.push_back(std::move(one));
  }
}

}  // namespace

std::vector<WrittenAnswer> read_answers(const fs::path& folder) {
  const json result = read_result(folder);
  std::vector<WrittenAnswer> answers;
  try {
    const json& steps = result.at("steps");
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (steps[i].at("kind") != "read") continue;
      WrittenAnswer common{.folder = folder,
                           .step = static_cast<std::int64_t>(i),
                           .matrix = steps[i].at("matrix").at("title")};
      const json& readings = steps[i].at("readings");
      for (std::size_t j = 0; j < readings.size(); ++j) {
        common.reading = readings[j].at("label");
        add_reading(readings[j], common, answers);
      }
    }
  } catch (const json::exception& error) {
    const std::string why = error.what();
    throw Error({"a damaged result", (folder / "result.json").string(), "what a run writes",
                 why.substr(why.find("] ") + 2)});
  }
  if (answers.empty())
    throw Error({"nothing was read in this run", folder.string(), "a step 'read'", "none"});
  return answers;
}

}  // namespace descramble
