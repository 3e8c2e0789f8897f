#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "descramble/report/study.h"
#include "report/study_key.h"

namespace descramble {

/// An answer as the page gives it, which does not know whether it is right.
struct GivenAnswer {
  std::string participant{};
  std::string trial{};
  std::string chosen{};  ///< the id of a row
  bool top = false;
  double seconds = 0;

  bool operator==(const GivenAnswer&) const = default;
};

/// Reads {"trial", "chosen", "top", "seconds"}. `place` names the file or request.
/// @throws Error for an answer to no question of the study, or one that names no row of it
GivenAnswer read_answer(const nlohmann::json& given, const std::string& participant,
                        const StudyKey& key, const std::string& place);

/// @throws Error naming `place` and `found` for an answer to no question, or one that names no row
/// of it, or one without its time
void check_answer(const GivenAnswer& answer, const StudyKey& key, const std::string& place,
                  const std::string& found);

StudyAnswer judged(const GivenAnswer& answer, const StudyKey& key);

}  // namespace descramble
