#include "results/score_report.h"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace descramble {

nlohmann::json score_json(const Score& score) {
  nlohmann::json result = {{"top1", nullptr},
                           {"top5", nullptr},
                           {"loss", score.loss()},
                           {"loss_kind", loss_name(score.loss_kind.value_or(Loss::cross_entropy))},
                           {"count", score.count}};
  if (score.loss_kind == Loss::mean_squared_error && !score.has_accuracy) {
    const double error = score.relative_error();
    result["relative_error"] = std::isfinite(error) ? nlohmann::json(error) : nlohmann::json();
    result["cosine"] = score.cosine();
  }
  if (score.has_accuracy) {
    result["top1"] = score.top1();
    result["top5"] = score.top5();
  }
  return result;
}

std::string score_line(const Score& score) {
  const bool squared = score.loss_kind == Loss::mean_squared_error;
  const std::string loss = squared ? fmt::format("mean squared error {:.4g}", score.loss())
                                   : fmt::format("loss {:.4f}", score.loss());
  if (!score.has_accuracy) {
    return fmt::format("{}, relative error {:.3g}, cosine {:.3f}", loss, score.relative_error(),
                       score.cosine());
  }
  return fmt::format("top-1 {:.2f} % ({}), top-5 {:.2f} % ({}), {}", 100 * score.top1(),
                     score.top1_hits, 100 * score.top5(), score.top5_hits, loss);
}

}  // namespace descramble
