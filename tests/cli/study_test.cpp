// The two-alternative study: what the page knows, and how answers are scored.

#include "descramble/report/study.h"

#include <cmath>
#include <set>

#include <fmt/format.h>

#include "cli/command.h"
#include "descramble/core/random.h"
#include "report/answer_store.h"
#include "report/study_key.h"

namespace descramble::test {

namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

/// 16 counts of right answers, at most 22 each, with this sum and sum of squares.
std::vector<std::int64_t> counts_with(std::int64_t sum, std::int64_t squares) {
  std::vector<std::int64_t> counts(16, sum / 16);
  for (std::int64_t i = 0; i < sum % 16; ++i) ++counts[static_cast<std::size_t>(i)];
  const auto total = [&] {
    std::int64_t all = 0;
    for (const std::int64_t one : counts) all += one * one;
    return all;
  };
  // Moving one answer from count b to count a adds 2 (a - b + 1) to the sum of squares.
  for (bool moved = true; moved && total() != squares;) {
    moved = false;
    std::int64_t best = 0;
    std::pair<std::size_t, std::size_t> pick;
    for (std::size_t a = 0; a < 16; ++a) {
      for (std::size_t b = 0; b < 16; ++b) {
        const std::int64_t gain = 2 * (counts[a] - counts[b] + 1);
        if (a == b || counts[a] >= 22 || counts[b] <= 0 || gain <= best) continue;
        if (total() + gain > squares) continue;
        best = gain;
        pick = {a, b};
      }
    }
    if (best == 0) break;
    ++counts[pick.first];
    --counts[pick.second];
    moved = true;
  }
  return counts;
}

/// 22 participants; of direction i the first counts[i] of them, shifted by i, are right.
std::vector<StudyAnswer> answers_of(const std::string& tap, const std::string& basis,
                                    const std::vector<std::int64_t>& counts) {
  std::vector<StudyAnswer> answers;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    for (std::int64_t j = 0; j < 22; ++j) {
      const auto participant = (j + static_cast<std::int64_t>(i) * 5) % 22;
      answers.push_back({.participant = fmt::format("p{}", participant),
                         .trial = fmt::format("{}/{}/{}", tap, basis, i),
                         .tap = tap,
                         .basis = basis,
                         .component = static_cast<std::int64_t>(i),
                         .right = j < counts[i]});
    }
  }
  return answers;
}

struct Published {
  std::string tap{};
  std::string basis{};
  std::int64_t sum = 0;
  std::int64_t squares = 0;
  double accuracy = 0;
  double error = 0;
};

// Recovered from the published figure (arXiv 2011.03043v3): n = 22 x 16 answers; right answers, sum
// of squares of the 16 vectors' counts; accuracy and its standard error over vectors (ddof 1).
const std::vector<Published> published = {
    {"conv1", "pca", 327, 6713, .929, .016},     {"conv2", "pca", 326, 6694, .926, .021},
    {"conv3", "pca", 309, 5979, .878, .010},     {"conv4", "pca", 295, 5507, .838, .024},
    {"conv5", "pca", 296, 5552, .841, .026},     {"fc1", "pca", 309, 5995, .878, .015},
    {"fc2", "pca", 317, 6331, .901, .021},       {"fc3", "pca", 298, 5590, .847, .019},
    {"conv1", "neurons", 317, 6355, .901, .025}, {"conv2", "neurons", 287, 5229, .815, .026},
    {"conv3", "neurons", 299, 5629, .849, .019}, {"conv4", "neurons", 285, 5155, .810, .026},
    {"conv5", "neurons", 278, 4924, .790, .028}, {"fc1", "neurons", 249, 4095, .707, .044},
    {"fc2", "neurons", 235, 3609, .668, .037},   {"fc3", "neurons", 287, 5189, .815, .019}};

TEST(StudyScore, IsThePublishedTable) {
  std::vector<StudyAnswer> answers;
  for (const Published& one : published) {
    const std::vector<std::int64_t> counts = counts_with(one.sum, one.squares);
    std::int64_t squares = 0;
    for (const std::int64_t count : counts) squares += count * count;
    ASSERT_EQ(squares, one.squares) << one.tap << " " << one.basis;
    const std::vector<StudyAnswer> own = answers_of(one.tap, one.basis, counts);
    answers.insert(answers.end(), own.begin(), own.end());
  }
  const StudyScore score = score_answers(answers);
  EXPECT_EQ(score.participants.size(), 22U);
  ASSERT_EQ(score.groups.size(), published.size());
  for (std::size_t i = 0; i < published.size(); ++i) {
    const StudyGroup& group = score.groups[i];
    SCOPED_TRACE(group.tap + " " + group.basis);
    EXPECT_EQ(group.answers, 352);
    EXPECT_EQ(group.right, published[i].sum);
    EXPECT_NEAR(group.accuracy, published[i].accuracy, 5.1e-4);
    EXPECT_NEAR(*group.error_vectors, published[i].error, 5.1e-4);
    EXPECT_LE(group.low, group.accuracy);
    EXPECT_GE(group.high, group.accuracy);
  }
  EXPECT_EQ(score.comparisons.size(), 8U);
  for (const StudyComparison& one : score.comparisons) EXPECT_GT(one.difference, 0) << one.tap;
}

TEST(StudyScore, OfParticipantsOfKnownSkill) {
  // Always right, always wrong on neurons, and always the row on top.
  std::vector<StudyAnswer> answers;
  RandomStream random = random_stream(1, "study test");
  for (int p = 0; p < 22; ++p) {
    for (std::int64_t i = 0; i < 16; ++i) {
      const auto add = [&](const std::string& basis, bool right) {
        answers.push_back({.participant = fmt::format("p{}", p),
                           .trial = basis + std::to_string(i),
                           .tap = "conv1",
                           .basis = basis,
                           .component = i,
                           .right = right});
      };
      add("pca", true);
      add("neurons", p < 11);                // half of them see it, half of them never
      add("random", random.uniform() < .5);  // always on top: right by chance
    }
  }
  const StudyScore score = score_answers(answers);
  EXPECT_EQ(score.groups[0].accuracy, 1);
  EXPECT_EQ(*score.groups[0].error_vectors, 0);
  EXPECT_EQ(score.groups[1].accuracy, 0.5);
  EXPECT_EQ(*score.groups[1].error_vectors, 0) << "every vector has the same count";
  // Eleven ones and eleven zeros: variance 22/4/21, divided by 22.
  EXPECT_NEAR(*score.groups[1].error_participants, std::sqrt(22.0 / 4 / 21 / 22), 1e-12);
  EXPECT_NEAR(score.groups[2].accuracy, 0.5, 0.1);
  // Eleven participants differ, all in one direction: 2 of the 2^11 choices of signs.
  EXPECT_NEAR(score.comparisons[0].p_value, std::pow(2.0, -10), 1e-15);
  EXPECT_EQ(score.comparisons[0].participants, 22);
}

class StudyCommand : public CommandTest {
 protected:
  void make_run(int count = 80) {
    const json config = {
        {"name", "explored"},
        {"threads", 1},
        {"model", {{"kind", "torchscript"}, {"path", source("models/glyph_mlp.pt").string()}}},
        {"data", {{"kind", "glyphs"}, {"count", count}}},
        {"steps",
         {{{"kind", "explore"},
           {"taps", "fc2"},
           {"directions", 4},
           {"bases", {{{"kind", "pca"}}, {{"kind", "random"}}}}}}}};
    ASSERT_EQ(run_config(config).code, 0);
  }
  Outcome study(std::vector<std::string> args) {
    args.insert(args.begin(), "study");
    return command(args);
  }
};

TEST_F(StudyCommand, MakesAPageThatKnowsNoRightAnswer) {
  make_run();
  const std::string run = at("out").string();
  for (const char* control : {"shuffled", "random"}) {
    SCOPED_TRACE(control);
    const std::string out = at(control).string();
    const Outcome made = study({"make", run, "--out", out, "--control", control});
    ASSERT_EQ(made.code, 0) << made.err;
    const json key = json::parse(read(at(control) / "key.json"));
    const std::string page = read(at(control) / "index.html");
    const bool shuffles = std::string(control) == "shuffled";
    EXPECT_EQ(key["trials"].size(), (shuffles ? 8U : 4U) + 1U);
    int coherent_first = 0;
    for (const json& trial : key["trials"]) {
      EXPECT_LE(std::abs(trial["tau"].get<double>()), 0.3);
      const std::string coherent = trial["coherent"];
      const std::string other = trial["other"];
      EXPECT_THAT(page, HasSubstr(coherent));
      EXPECT_THAT(page, Not(HasSubstr("\"coherent\":\"" + coherent)));
      coherent_first += page.find(coherent) < page.find(other) ? 1 : 0;
    }
    if (shuffles) {
      EXPECT_GT(coherent_first, 0);
      EXPECT_LT(coherent_first, 9);
    }
    EXPECT_THAT(page, HasSubstr("default-src 'none'"));
  }
  const Outcome again = study({"make", run, "--out", at("again").string()});
  ASSERT_EQ(again.code, 0);
  EXPECT_EQ(read(at("again/index.html")), read(at("shuffled/index.html"))) << "same seed";
  EXPECT_EQ(study({"make", run, "--out", at("again").string()}).code, 2);
}

TEST_F(StudyCommand, ScoresFilesOfAnswers) {
  make_run();
  ASSERT_EQ(study({"make", at("out").string(), "--out", at("study").string()}).code, 0);
  const json key = json::parse(read(at("study/key.json")));
  const auto answers = [&](const std::string& participant, const char* row) {
    json list = json::array();
    for (const json& trial : key["trials"])
      list.push_back(
          {{"trial", trial["id"]}, {"chosen", trial[row]}, {"top", true}, {"seconds", 1.5}});
    return json{{"study", key["study"]}, {"participant", participant}, {"answers", list}};
  };
  const auto refused = [&](const std::string& what) {
    const Outcome outcome = study({"score", at("study").string()});
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr(what));
    EXPECT_FALSE(fs::exists(at("study/score.json")));
  };
  refused("no answers");
  json odd = answers("a", "coherent");
  odd["study"] = "another";
  write(at("study/answers/a.json"), odd.dump());
  refused("answers to another study");
  odd = answers("a", "coherent");
  odd["answers"][0]["chosen"] = "neither";
  write(at("study/answers/a.json"), odd.dump());
  refused("no row of the question");
  odd = answers("a", "coherent");
  odd["answers"].push_back(odd["answers"][0]);
  write(at("study/answers/a.json"), odd.dump());
  refused("a question answered twice");
  write(at("study/answers/a.json"), "[]");
  refused("not a file of answers");
  write(at("study/answers/a.txt"), "{}");
  refused("a.txt");
  fs::remove(at("study/answers/a.txt"));

  write(at("study/answers/a.json"), answers("a", "coherent").dump());
  write(at("study/answers/b.json"), answers("b", "other").dump());
  const Outcome outcome = study({"score", at("study").string()});
  ASSERT_EQ(outcome.code, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("a                  8      8            1 of 1"),
                                 HasSubstr("b                  8      0            0 of 1")));
  const json score = json::parse(read(at("study/score.json")));
  EXPECT_EQ(score["groups"][0]["basis"], "pca") << "in the order of the run";
  EXPECT_EQ(score["groups"][0]["accuracy"], 0.5);
  EXPECT_EQ(score["groups"][0]["standard_error_participants"], 0.5);
  EXPECT_TRUE(fs::exists(at("study/answers.csv")));
  const Outcome without = study({"score", at("study").string(), "--exclude", "b"});
  ASSERT_EQ(without.code, 0) << without.err;
  EXPECT_EQ(json::parse(read(at("study/score.json")))["groups"][0]["accuracy"], 1);
  const Outcome nobody = study({"score", at("study").string(), "--exclude", "c"});
  EXPECT_EQ(nobody.code, 2);
  EXPECT_THAT(nobody.err, HasSubstr("no such participant"));
}

TEST_F(StudyCommand, RefusesWhatIsNoStudy) {
  make_run();
  const auto refused = [&](const Outcome& outcome, const std::string& what) {
    EXPECT_EQ(outcome.code, 2);
    EXPECT_THAT(outcome.err, HasSubstr(what));
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  };
  refused(study({"make", at("none").string(), "--out", at("s").string()}), "not a result folder");
  refused(study({"score", at("out").string()}), "not a study");
  refused(study({"mak", at("out").string()}), "'make', 'serve', 'score'");
  refused(study({"make", at("out").string(), "--out", at("s").string(), "--control", "odd"}),
          "--control");
  refused(study({"make", at("out").string(), "--out", at("s").string(), "--seed", "-1"}), "2^64");
  EXPECT_FALSE(fs::exists(at("s")));
}

}  // namespace

}  // namespace descramble::test
