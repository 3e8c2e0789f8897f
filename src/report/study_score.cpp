#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/core/random.h"
#include "descramble/report/study.h"
#include "report/study_key.h"

namespace descramble {

namespace {

/// Right answers and answers, of one participant or one vector.
struct Count {
  std::int64_t right = 0;
  std::int64_t all = 0;

  double share() const { return static_cast<double>(right) / static_cast<double>(all); }
};

std::optional<double> standard_error(const std::vector<double>& shares) {
  const auto n = static_cast<double>(shares.size());
  if (shares.size() < 2) return std::nullopt;
  double mean = 0;
  for (const double one : shares) mean += one / n;
  double squares = 0;
  for (const double one : shares) squares += (one - mean) * (one - mean);
  return std::sqrt(squares / (n - 1) / n);
}

template <typename Key>
std::vector<double> shares_of(const std::map<Key, Count>& counts) {
  std::vector<double> shares;
  for (const auto& [key, count] : counts) shares.push_back(count.share());
  return shares;
}

/// 95 % of the accuracies of samples in which participants and vectors are drawn with replacement.
std::pair<double, double> bootstrap(const std::vector<const StudyAnswer*>& answers,
                                    RandomStream& random) {
  constexpr int draws = 2000;
  std::map<std::string, std::int64_t> participants;
  std::map<std::int64_t, std::int64_t> vectors;
  for (const StudyAnswer* one : answers) {
    participants.emplace(one->participant, std::ssize(participants));
    vectors.emplace(one->component, std::ssize(vectors));
  }
  std::vector<double> found;
  for (int draw = 0; draw < draws; ++draw) {
    const auto weights = [&random](std::size_t n) {
      std::vector<std::int64_t> result(n, 0);
      for (std::size_t i = 0; i < n; ++i)
        ++result[static_cast<std::size_t>(random.below(static_cast<std::int64_t>(n)))];
      return result;
    };
    const std::vector<std::int64_t> by_participant = weights(participants.size());
    const std::vector<std::int64_t> by_vector = weights(vectors.size());
    std::int64_t right = 0;
    std::int64_t all = 0;
    for (const StudyAnswer* one : answers) {
      const std::int64_t weight =
          by_participant[static_cast<std::size_t>(participants[one->participant])] *
          by_vector[static_cast<std::size_t>(vectors[one->component])];
      all += weight;
      right += one->right ? weight : 0;
    }
    if (all > 0) found.push_back(static_cast<double>(right) / static_cast<double>(all));
  }
  std::sort(found.begin(), found.end());
  const auto at = [&](double share) {
    return found[static_cast<std::size_t>(share * static_cast<double>(found.size() - 1))];
  };
  return {at(0.025), at(0.975)};
}

/// Σ ±dᵢ over all choices of signs: the share whose size is at least that of Σ dᵢ, exactly.
double sign_flip_probability(const std::vector<std::int64_t>& differences) {
  std::map<std::int64_t, double> sums{{0, 1.0}};
  std::int64_t observed = 0;
  for (const std::int64_t one : differences) {
    std::map<std::int64_t, double> next;
    for (const auto& [sum, share] : sums) {
      next[sum + one] += share / 2;
      next[sum - one] += share / 2;
    }
    sums = std::move(next);
    observed += one;
  }
  double result = 0;
  for (const auto& [sum, share] : sums) result += std::abs(sum) >= std::abs(observed) ? share : 0;
  return std::min(1.0, result);
}

using Groups =
    std::vector<std::pair<std::pair<std::string, std::string>, std::vector<const StudyAnswer*>>>;

StudyComparison compared(const std::string& tap, const std::string& first,
                         const std::vector<const StudyAnswer*>& one, const std::string& second,
                         const std::vector<const StudyAnswer*>& other) {
  std::map<std::string, Count> a;
  std::map<std::string, Count> b;
  for (const auto& [from, to] : {std::pair{&one, &a}, {&other, &b}}) {
    for (const StudyAnswer* answer : *from) {
      Count& count = (*to)[answer->participant];
      ++count.all;
      count.right += answer->right ? 1 : 0;
    }
  }
  StudyComparison result{.tap = tap, .first = first, .second = second};
  std::vector<std::int64_t> differences;
  double sum = 0;
  for (const auto& [participant, count] : a) {
    const auto found = b.find(participant);
    if (found == b.end()) continue;
    // Counts are compared over a common number of answers.
    differences.push_back(count.right * found->second.all - found->second.right * count.all);
    sum += count.share() - found->second.share();
  }
  result.participants = std::ssize(differences);
  if (differences.empty()) return result;
  result.difference = sum / static_cast<double>(differences.size());
  result.p_value = sign_flip_probability(differences);
  return result;
}

double median(std::vector<double> values) {
  const std::size_t middle = values.size() / 2;
  std::sort(values.begin(), values.end());
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

std::vector<StudyParticipant> participants_in(const std::vector<StudyAnswer>& answers) {
  std::map<std::string, StudyParticipant> all;
  std::map<std::string, std::vector<double>> seconds;
  for (const StudyAnswer& one : answers) {
    StudyParticipant& own = all[one.participant];
    own.participant = one.participant;
    const bool check = one.basis == attention_check;
    ++(check ? own.checks : own.answers);
    (check ? own.checks_right : own.right) += one.right ? 1 : 0;
    seconds[one.participant].push_back(one.seconds);
  }
  std::vector<StudyParticipant> result;
  for (auto& [participant, own] : all) {
    own.median_seconds = median(seconds[participant]);
    result.push_back(own);
  }
  return result;
}

}  // namespace

StudyScore score_answers(const std::vector<StudyAnswer>& answers, std::uint64_t seed) {
  Groups groups;
  StudyScore score{.participants = participants_in(answers)};
  for (const StudyAnswer& one : answers) {
    if (one.basis == attention_check) continue;
    const std::pair key{one.tap, one.basis};
    const auto found = std::find_if(groups.begin(), groups.end(),
                                    [&](const auto& group) { return group.first == key; });
    if (found == groups.end()) {
      groups.push_back({key, {&one}});
    } else {
      found->second.push_back(&one);
    }
  }
  if (groups.empty()) throw Error({"nothing to score", "answers", "at least one answer", "none"});
  for (const auto& [key, own] : groups) {
    StudyGroup group{.tap = key.first, .basis = key.second, .answers = std::ssize(own)};
    std::map<std::int64_t, Count> by_vector;
    std::map<std::string, Count> by_participant;
    for (const StudyAnswer* one : own) {
      for (Count* count : {&by_vector[one->component], &by_participant[one->participant]}) {
        ++count->all;
        count->right += one->right ? 1 : 0;
      }
      group.right += one->right ? 1 : 0;
    }
    group.accuracy = static_cast<double>(group.right) / static_cast<double>(group.answers);
    group.error_vectors = standard_error(shares_of(by_vector));
    group.error_participants = standard_error(shares_of(by_participant));
    RandomStream random = random_stream(seed, "study/" + group.tap + "/" + group.basis);
    std::tie(group.low, group.high) = bootstrap(own, random);
    score.groups.push_back(std::move(group));
  }
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (std::size_t j = i + 1; j < groups.size(); ++j) {
      if (groups[i].first.first != groups[j].first.first) continue;
      score.comparisons.push_back(compared(groups[i].first.first, groups[i].first.second,
                                           groups[i].second, groups[j].first.second,
                                           groups[j].second));
    }
  }
  return score;
}

}  // namespace descramble
