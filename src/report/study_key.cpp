#include "report/study_key.h"

#include <nlohmann/json.hpp>

#include "descramble/core/error.h"
#include "descramble/core/json.h"

namespace descramble {

using nlohmann::json;

double kendall_tau(const std::vector<std::int64_t>& order) {
  std::int64_t balance = 0;
  std::int64_t pairs = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    for (std::size_t j = i + 1; j < order.size(); ++j) {
      balance += order[i] < order[j] ? 1 : -1;
      ++pairs;
    }
  }
  return pairs == 0 ? 1 : static_cast<double>(balance) / static_cast<double>(pairs);
}

StudyKey read_study_key(const std::filesystem::path& folder) {
  const std::filesystem::path file = folder / "key.json";
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(file, ignored)) {
    throw Error({"not a study", "'" + folder.string() + "'",
                 "a folder that 'descramble study make' wrote", "no key.json"});
  }
  const json text = read_json(file);
  try {
    StudyKey key{.study = text.at("study"), .seed = text.at("seed")};
    for (const json& one : text.at("trials")) {
      const StudyTrial trial{.number = one.at("number"),
                             .id = one.at("id"),
                             .tap = one.at("tap"),
                             .basis = one.at("basis"),
                             .component = one.at("component"),
                             .coherent = one.at("coherent"),
                             .other = one.at("other"),
                             .tau = one.at("tau")};
      key.trials.emplace(trial.id, trial);
    }
    return key;
  } catch (const json::exception&) {
    throw Error({"a damaged study", file.string(), "what 'descramble study make' writes",
                 "something else"});
  }
}

std::string study_key_text(const StudyKey& key) {
  json trials = json::array();
  for (const auto& [id, one] : key.trials) {
    trials.push_back({{"number", one.number},
                      {"id", id},
                      {"tap", one.tap},
                      {"basis", one.basis},
                      {"component", one.component},
                      {"coherent", one.coherent},
                      {"other", one.other},
                      {"tau", one.tau}});
  }
  return write_json({{"study", key.study}, {"seed", key.seed}, {"trials", std::move(trials)}},
                    "key.json");
}

}  // namespace descramble
