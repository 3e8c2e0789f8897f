#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace [[gnu::visibility("default")]] descramble {

/// What stands beside a direction's points in order.
enum class StudyControl {
  shuffled,  ///< the same points in another order
  random     ///< the points of a random direction, in order
};

/// How a study is made.
struct StudyOptions {
  StudyControl control = StudyControl::shuffled;  ///< what the other row of a question is
  std::uint64_t seed = 1;  ///< the seed of shuffles and of the order of questions
  bool force = false;      ///< replaces a study that has no answers
};

/// Makes the two-alternative study of a run with a step `explore`: "which row shows a coherent
/// transition from left to right?" The folder gets index.html, which a browser opens from the disk
/// and which knows no right answer, and key.json, which does. A shuffle with |Kendall τ| > 0.3 is
/// drawn again, since a reversed strip is coherent too. The same run, control and seed give the
/// same bytes; ids of rows depend on the run. Returns the number of questions.
/// @source Dey, Taylor,
/// Wong, Tripp, Taylor, "Neuron-based explanations of neural networks sacrifice completeness and
/// interpretability", TMLR, §5.
/// @throws Error for a run without explored images, too few points to shuffle, or a `random`
/// control without a random basis
std::int64_t make_study(const std::filesystem::path& run, const std::filesystem::path& out,
                        const StudyOptions& options = {});

/// One answer to one question.
struct StudyAnswer {
  std::string participant{};   ///< the random number of the participant
  std::string trial{};         ///< the question, as key.json names it
  std::string tap{};           ///< the layer
  std::string basis{};         ///< the label of the basis
  std::int64_t component = 0;  ///< number of the direction in its basis
  bool right = false;          ///< whether the coherent row was chosen
  bool top = false;            ///< the row that was chosen stood on top
  double seconds = 0;          ///< time from the question to the answer
};

/// The answers to all directions of one layer in one basis.
struct StudyGroup {
  std::string tap{};                           ///< the layer
  std::string basis{};                         ///< the label of the basis
  std::int64_t answers = 0;                    ///< answers that count
  std::int64_t right = 0;                      ///< right answers among them
  double accuracy = 0;                         ///< right / answers
  std::optional<double> error_vectors{};       ///< standard error over basis vectors, ddof 1
  std::optional<double> error_participants{};  ///< over participants, ddof 1
  double low = 0;   ///< 95 % of a bootstrap over participants and vectors
  double high = 0;  ///< upper end
};

/// Two bases at one layer, by the participants who answered to both: are the signs of the
/// differences of their counts of right answers random? Exact two-sided permutation test.
struct StudyComparison {
  std::string tap{};              ///< the layer
  std::string first{};            ///< the label of one basis
  std::string second{};           ///< the label of the other
  std::int64_t participants = 0;  ///< participants who answered to both
  double difference = 0;          ///< difference of the accuracies, first − second
  double p_value = 1;  ///< probability of a difference at least as large, if the signs are random
};

/// One participant, to judge who answered with care.
struct StudyParticipant {
  std::string participant{};      ///< the name that the page gave
  std::int64_t answers = 0;       ///< answers to questions that count
  std::int64_t right = 0;         ///< right answers among them
  std::int64_t checks = 0;        ///< answers to attention checks
  std::int64_t checks_right = 0;  ///< right answers among them
  double median_seconds = 0;      ///< median time of an answer
};

/// What the answers to a study say.
struct StudyScore {
  std::vector<StudyGroup> groups{};              ///< one for each layer and basis
  std::vector<StudyComparison> comparisons{};    ///< pairs of bases at one layer
  std::vector<StudyParticipant> participants{};  ///< one for each participant
  std::int64_t questions = 0;  ///< questions of the study, attention checks too; 0: unknown
  std::int64_t left_out = 0;   ///< answers of files where the server has another one
};

/// Groups in the order in which they come. @throws Error for no answers
StudyScore score_answers(const std::vector<StudyAnswer>& answers, std::uint64_t seed = 1);

/// Reads key.json, the answers that the server received (answers.sqlite) and every file of answers/
/// in the folder, and writes score.json, answers.csv and accuracy.svg (with gnuplot) beside them.
/// Answers of the participants in `excluded` do not count.
/// @throws Error for a folder that is no study, answers to another study, to no question, or twice,
/// and for an excluded participant without answers
StudyScore score_study(const std::filesystem::path& folder,
                       const std::vector<std::string>& excluded = {});

}  // namespace descramble
