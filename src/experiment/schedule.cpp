#include <cmath>

#include <nlohmann/json.hpp>

#include "descramble/experiment/train.h"
#include "experiment/optimizer.h"

namespace descramble {

using nlohmann::json;

const KindFamily& schedule_family() {
  static const Field factor{.name = "factor",
                            .type = FieldType::number,
                            .doc = "what the learning rate is multiplied by",
                            .fallback = 0.2,
                            .minimum = 0,
                            .above_minimum = true};
  static const KindFamily family{
      .title = "schedule",
      .kinds = {
          {.name = "step",
           .summary = "multiplies the learning rate after every so many epochs",
           .fields = {{.name = "every", .type = FieldType::integer, .doc = "epochs", .minimum = 1},
                      factor}},
          {.name = "milestones",
           .summary = "multiplies the learning rate after the listed epochs",
           .fields = {{.name = "epochs",
                       .type = FieldType::integers,
                       .doc = "numbers of finished epochs",
                       .minimum = 1},
                      factor}}}};
  return family;
}

double rate_factor(const json& schedule, std::int64_t finished) {
  if (schedule.is_null()) return 1;
  if (schedule.is_object() && schedule.at("kind") == "step") {
    return std::pow(schedule.at("factor").get<double>(),
                    static_cast<double>(finished / schedule.at("every").get<std::int64_t>()));
  }
  const json& epochs = schedule.is_array() ? schedule : schedule.at("epochs");
  const double factor = schedule.is_array() ? 0.2 : schedule.at("factor").get<double>();
  double result = 1;
  for (const json& epoch : epochs) {
    if (epoch.get<std::int64_t>() <= finished) result *= factor;
  }
  return result;
}

}  // namespace descramble
