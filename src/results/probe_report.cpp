#include "results/probe_report.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>

#include <fmt/format.h>

#include "training/probe_measures.h"

namespace descramble {

nlohmann::json probe_json(const ProbeRecord& record) {
  nlohmann::json result = {{"probe", record.probe},
                           {"step", record.step},
                           {"epoch", record.epoch},
                           {"tap", record.tap},
                           {"measure", record.measure}};
  for (const auto& [key, value] : record.numbers)
    result[key] = value ? nlohmann::json(*value) : nlohmann::json();
  for (const auto& [key, values] : record.lists) result[key] = values;
  return result;
}

std::vector<NamedFigure> probe_figures(const std::vector<ProbeRecord>& records) {
  std::vector<NamedFigure> result;
  for (const ProbeMeasure& measure : probe_measures()) {
    Figure figure{.title = measure.title, .x_title = "optimiser step", .y_title = measure.y_title};
    bool positive = true;
    std::set<std::size_t> involved;
    // Curves in the order of their taps' first record.
    std::map<std::string, std::size_t> index;
    for (const ProbeRecord& record : records) {
      if (record.measure == measure.name) involved.insert(record.probe);
    }
    for (const ProbeRecord& record : records) {
      if (record.measure != measure.name) continue;
      for (const ProbeCurve& curve : measure.curves) {
        std::string label = record.tap;
        if (!curve.label.empty()) label += " " + curve.label;
        if (involved.size() > 1) label += fmt::format(", probe {}", record.probe);
        const auto [found, added] = index.emplace(label, figure.series.size());
        if (added) figure.series.push_back({.label = label});
        Series& series = figure.series[found->second];
        const std::optional<double>& value = record.numbers.at(curve.key);
        series.x.push_back(static_cast<double>(record.step));
        series.y.push_back(value.value_or(std::numeric_limits<double>::quiet_NaN()));
        positive = positive && !(series.y.back() <= 0);
      }
    }
    const bool drawable =
        std::any_of(figure.series.begin(), figure.series.end(), [](const Series& series) {
          return std::any_of(series.y.begin(), series.y.end(),
                             [](double y) { return std::isfinite(y); });
        });
    if (!drawable) continue;
    figure.log_y = measure.log_y && positive;
    result.push_back({"probe_" + measure.name, std::move(figure)});
  }
  return result;
}

}  // namespace descramble
