#include "report/study_answer.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "descramble/core/error.h"

namespace descramble {

using nlohmann::json;

void check_answer(const GivenAnswer& answer, const StudyKey& key, const std::string& place,
                  const std::string& found) {
  const auto trial = key.trials.find(answer.trial);
  if (trial == key.trials.end()) {
    throw Error({"an answer to no question of the study", place, "a trial of key.json", found});
  }
  const StudyTrial& asked = trial->second;
  if (answer.chosen != asked.coherent && answer.chosen != asked.other) {
    throw Error({"an answer that is no row of the question", place,
                 "'" + asked.coherent + "' or '" + asked.other + "'", found});
  }
  if (!(answer.seconds >= 0) || !std::isfinite(answer.seconds))
    throw Error({"an answer without its time", place, "seconds of at least 0", found});
}

GivenAnswer read_answer(const json& given, const std::string& participant, const StudyKey& key,
                        const std::string& place) {
  constexpr std::size_t shown = 200;
  const std::string found =
      given.dump(-1, ' ', false, json::error_handler_t::replace).substr(0, shown);
  const auto of = [&](const char* name, json absent) {
    return given.is_object() ? given.value(name, std::move(absent)) : absent;
  };
  const auto text = [&](const char* name) {
    const json value = of(name, json());
    return value.is_string() ? value.get<std::string>() : std::string();
  };
  const json seconds = of("seconds", 0.0);
  const json top = of("top", false);
  GivenAnswer answer{.participant = participant,
                     .trial = text("trial"),
                     .chosen = text("chosen"),
                     .top = top.is_boolean() && top.get<bool>(),
                     .seconds = seconds.is_number() ? seconds.get<double>() : -1};
  check_answer(answer, key, place, found);
  if (!top.is_boolean())
    throw Error({"an answer without its place", place, "top: true or false", found});
  return answer;
}

StudyAnswer judged(const GivenAnswer& answer, const StudyKey& key) {
  const StudyTrial& asked = key.trials.at(answer.trial);
  return {.participant = answer.participant,
          .trial = asked.id,
          .tap = asked.tap,
          .basis = asked.basis,
          .component = asked.component,
          .right = answer.chosen == asked.coherent,
          .top = answer.top,
          .seconds = answer.seconds};
}

}  // namespace descramble
