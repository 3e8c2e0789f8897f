#include "report/study_answer.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "descramble/core/error.h"

namespace descramble {

using nlohmann::json;

GivenAnswer read_answer(const json& given, const std::string& participant, const StudyKey& key,
                        const std::string& place) {
  constexpr std::size_t shown = 200;
  const auto refuse = [&](const char* what, const std::string& expected) {
    throw Error({what, place, expected,
                 given.dump(-1, ' ', false, json::error_handler_t::replace).substr(0, shown)});
  };
  const auto text = [&](const char* name) {
    return given.is_object() && given.contains(name) && given[name].is_string()
               ? given[name].get<std::string>()
               : std::string();
  };
  const auto trial = key.trials.find(text("trial"));
  if (trial == key.trials.end())
    refuse("an answer to no question of the study", "a trial of key.json");
  const StudyTrial& asked = trial->second;
  const std::string chosen = text("chosen");
  if (chosen != asked.coherent && chosen != asked.other) {
    refuse("an answer that is no row of the question",
           "'" + asked.coherent + "' or '" + asked.other + "'");
  }
  const json seconds = given.value("seconds", json(0.0));
  const json top = given.value("top", json(false));
  if (!seconds.is_number() || !(seconds.get<double>() >= 0) ||
      !std::isfinite(seconds.get<double>()))
    refuse("an answer without its time", "seconds of at least 0");
  if (!top.is_boolean()) refuse("an answer without its place", "top: true or false");
  return {.participant = participant,
          .trial = asked.id,
          .chosen = chosen,
          .top = top.get<bool>(),
          .seconds = seconds.get<double>()};
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
