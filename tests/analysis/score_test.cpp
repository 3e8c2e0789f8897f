#include "descramble/analysis/score.h"

#include <cmath>

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "descramble/analysis/certificate.h"
#include "descramble/core/error.h"
#include "results/score_report.h"

namespace descramble::test {

namespace {

TEST(Score, CountsHitsAndCrossEntropy) {
  const at::Tensor logits = at::tensor({2.0, 1.0, 0.0, 0.0, 1.0, 2.0}).reshape({2, 3});
  Score score;
  score.add(logits, at::tensor({std::int64_t{0}, std::int64_t{1}}));
  EXPECT_EQ(score.count, 2);
  EXPECT_EQ(score.top1_hits, 1);
  EXPECT_EQ(score.top5_hits, 2);
  // −log softmax by hand: ln(e² + e + 1) less the label's logit (2, then 1).
  const double normaliser = std::log(std::exp(2.0) + std::exp(1.0) + 1);
  EXPECT_NEAR(score.loss(), ((normaliser - 2) + (normaliser - 1)) / 2, 1e-14);
}

TEST(Score, EqualLogitsRankByIndex) {
  for (std::int64_t label = 0; label < 7; ++label) {
    Score score;
    score.add(at::zeros({1, 7}), at::tensor({label}));
    EXPECT_EQ(score.top1_hits, label < 1 ? 1 : 0);
    EXPECT_EQ(score.top5_hits, label < 5 ? 1 : 0);
  }
}

TEST(Score, BatchesAddUp) {
  const at::Tensor logits =
      at::tensor({2.0, 1.0, 0.0, 0.0, 1.0, 2.0, 5.0, 0.0, 1.0}).reshape({3, 3});
  const at::Tensor labels = at::tensor({std::int64_t{0}, std::int64_t{2}, std::int64_t{1}});
  Score whole;
  whole.add(logits, labels);
  Score parts;
  parts.add(logits.slice(0, 0, 1), labels.slice(0, 0, 1));
  parts.add(logits.slice(0, 1, 3), labels.slice(0, 1, 3));
  EXPECT_EQ(whole.top1_hits, parts.top1_hits);
  EXPECT_NEAR(whole.loss(), parts.loss(), 1e-14);
}

TEST(Score, FloatingTargetsGiveTheSquaredErrorAlone) {
  Score score;
  score.add(at::tensor({1.0, 2.0, 3.0, 4.0}).reshape({2, 2}),
            at::tensor({1.0, 0.0, 3.0, 1.0}).reshape({2, 2}));
  score.add(at::tensor({1.0, 2.0}).reshape({1, 2}), at::tensor({1.0, 1.0}).reshape({1, 2}));
  EXPECT_EQ(score.count, 3);
  EXPECT_DOUBLE_EQ(score.loss(), (4.0 + 9.0 + 1.0) / 6);
  const nlohmann::json written = score_json(score);
  EXPECT_TRUE(written["top1"].is_null());
  EXPECT_EQ(written["loss_kind"], "mse");
  EXPECT_THAT(score_line(score), testing::HasSubstr("mean squared error 2.333"));
  EXPECT_THAT(score_line(score), testing::Not(testing::HasSubstr("top")));
}

TEST(Score, ClassesCanBeScoredByTheSquaredError) {
  Score score{.loss_kind = Loss::mean_squared_error};
  score.add(at::tensor({0.5, 0.0}).reshape({1, 2}), at::tensor({std::int64_t{0}}));
  EXPECT_DOUBLE_EQ(score.loss(), 0.125);
  EXPECT_EQ(score_json(score)["top1"], 1.0);
}

TEST(Score, RefusesWhatItCannotScore) {
  Score score;
  EXPECT_THROW(score.add(at::zeros({2, 3, 4}), at::tensor({std::int64_t{0}, std::int64_t{0}})),
               Error);
  EXPECT_THROW(score.add(at::zeros({2, 3}), at::tensor({std::int64_t{0}})), Error);
  EXPECT_THROW(score.add(at::zeros({1, 3}), at::tensor({std::int64_t{3}})), Error);
  EXPECT_THROW(score.add(at::zeros({1, 3}), at::tensor({std::int64_t{-1}})), Error);
  EXPECT_THROW(score.add(at::zeros({1, 3}), at::Tensor()), Error);
  EXPECT_EQ(score.count, 0);
}

TEST(RelativeDifference, RelativeDifference) {
  const at::Tensor one = at::tensor({1.0, -4.0});
  EXPECT_EQ(relative_difference(one, one), 0);
  EXPECT_EQ(relative_difference(at::tensor({1.0, -5.0}), one), 0.25);
  EXPECT_EQ(relative_difference(at::zeros({2}), at::zeros({2})), 0);
  EXPECT_TRUE(std::isinf(relative_difference(at::zeros({3}), one)));
  EXPECT_FALSE(relative_difference(at::tensor({std::nan(""), 0.0}), one) <= 1.0);
}

}  // namespace

}  // namespace descramble::test
