#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace descramble {

/// The "basis" of questions whose answer everybody sees.
constexpr const char* attention_check = "attention check";

struct StudyTrial {
  std::int64_t number = 0;  ///< in the order of the run
  std::string id{};
  std::string tap{};
  std::string basis{};
  std::int64_t component = 0;
  std::string coherent{};  ///< the id of the row in order
  std::string other{};     ///< and of the control
  double tau = 0;          ///< Kendall's τ of the control's order
};

/// What the page does not know.
struct StudyKey {
  std::string study{};
  std::uint64_t seed = 1;
  std::map<std::string, StudyTrial> trials{};
};

/// @throws Error for a folder without a key of a study
StudyKey read_study_key(const std::filesystem::path& folder);

std::string study_key_text(const StudyKey& key);

/// Kendall's τ of an order against 0, 1, 2, …: (concordant − discordant) / pairs.
double kendall_tau(const std::vector<std::int64_t>& order);

}  // namespace descramble
