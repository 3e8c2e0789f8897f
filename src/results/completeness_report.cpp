#include "results/completeness_report.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/stats/proportion.h"
#include "results/or_null.h"
#include "results/score_report.h"
#include "results/tap_json.h"

namespace descramble {

using nlohmann::json;

namespace {

json count_or_null(std::int64_t count) {
  return count < 0 ? json() : json(count);
}

const AblatedBasis& basis_of(const TapCompleteness& tap, const Curve& curve) {
  return tap.bases[curve.basis];
}

/// Curves of one basis and order: one for each draw.
struct Group {
  std::string label{};
  Order order = Order::descending;
  std::size_t basis = 0;  ///< number of its label among those of the tap
  std::vector<const Curve*> draws{};
};

std::vector<Group> groups_of(const TapCompleteness& tap) {
  std::vector<std::string> labels;
  std::vector<Group> groups;
  for (const Curve& curve : tap.curves) {
    const std::string& label = basis_of(tap, curve).label;
    if (std::find(labels.begin(), labels.end(), label) == labels.end()) labels.push_back(label);
    auto found = std::find_if(groups.begin(), groups.end(), [&](const Group& group) {
      return group.label == label && group.order == curve.order;
    });
    if (found == groups.end()) {
      groups.push_back({label, curve.order, labels.size() - 1, {}});
      found = groups.end() - 1;
    }
    found->draws.push_back(&curve);
  }
  return groups;
}

/// Mean over the draws that have the figure; absent if no draw has it.
std::optional<double> mean_of(const std::vector<const Curve*>& draws,
                              const std::function<std::optional<double>(const Curve&)>& figure) {
  double sum = 0;
  double count = 0;
  for (const Curve* curve : draws) {
    if (const std::optional<double> value = figure(*curve)) {
      sum += *value;
      ++count;
    }
  }
  return count > 0 ? std::optional(sum / count) : std::nullopt;
}

json basis_json(const TapCompleteness& tap, std::size_t number) {
  const AblatedBasis& basis = tap.bases[number];
  json orders = json::array();
  for (const Curve& curve : tap.curves) {
    if (curve.basis != number) continue;
    orders.push_back({{"order", order_name(curve.order)},
                      {"area", or_null(area_under(curve, tap.space.dimension))},
                      {"halved", or_null(halved_at(curve))}});
  }
  return {{"label", basis.label},
          {"draw", basis.draw},
          {"directions", basis.size},
          {"explained", basis.explained.sum().item<double>()},
          {"components_80", count_or_null(components_for(basis.explained, 0.80))},
          {"components_99", count_or_null(components_for(basis.explained, 0.99))},
          {"orders", std::move(orders)}};
}

/// Every two bases (the first draw of each) in the same order, seen by the same samples.
json comparisons_json(const TapCompleteness& tap) {
  json result = json::array();
  for (const Curve& first : tap.curves) {
    for (const Curve& second : tap.curves) {
      if (second.basis <= first.basis || first.order != second.order || first.draw != 0 ||
          second.draw != 0 || first.right_at_half.empty() || second.right_at_half.empty())
        continue;
      const PairedComparison pair = compare_at_half(first, second);
      result.push_back({{"first", basis_of(tap, first).label},
                        {"second", basis_of(tap, second).label},
                        {"order", order_name(first.order)},
                        {"ablated", tap.space.dimension / 2},
                        {"only_first_right", pair.only_first},
                        {"only_second_right", pair.only_second},
                        {"p_value", pair.p_value},
                        {"log10_p_value", pair.log10_p_value}});
    }
  }
  return result;
}

/// The score with no direction ablated, and with all of them (null if no basis has all directions).
const Score& untouched(const TapCompleteness& tap) {
  return tap.curves.front().scores.at(0);
}

const Score* all_ablated(const TapCompleteness& tap) {
  for (const Curve& curve : tap.curves) {
    const auto last = curve.scores.find(tap.space.dimension);
    if (last != curve.scores.end()) return &last->second;
  }
  return nullptr;
}

json tap_entry(const TapCompleteness& tap) {
  json entry = tap_json(tap.space);
  entry["d"] = tap.space.dimension;
  entry["rows"] = tap.rows;
  if (!tap.obstacle.empty()) entry["runs_whole"] = tap.obstacle;
  entry["untouched"] = score_json(untouched(tap));
  const Score* all = all_ablated(tap);
  entry["all_ablated"] = all == nullptr ? json() : score_json(*all);
  entry["bases"] = json::array();
  for (std::size_t i = 0; i < tap.bases.size(); ++i) entry["bases"].push_back(basis_json(tap, i));
  entry["comparisons"] = comparisons_json(tap);
  return entry;
}

Table curves_table(const Completeness& measured) {
  Table table{.name = "curves",
              .columns = {"tap", "basis", "draw", "order", "ablated", "kept_variance", "top1",
                          "top1_low", "top1_high", "top5", "loss", "relative_error", "cosine"}};
  for (const TapCompleteness& tap : measured.taps) {
    for (const Curve& curve : tap.curves) {
      for (const auto& [ablated, score] : curve.scores) {
        std::vector<Table::Cell> row{tap.space.name,
                                     basis_of(tap, curve).label,
                                     static_cast<std::int64_t>(curve.draw),
                                     order_name(curve.order),
                                     ablated,
                                     curve.kept[static_cast<std::size_t>(ablated)]};
        if (score.has_accuracy) {
          const Interval band = wilson_interval(score.top1_hits, score.count);
          row.insert(row.end(), {score.top1(), band.low, band.high, score.top5()});
        } else {
          row.insert(row.end(), 4, std::string());
        }
        row.emplace_back(score.loss());
        if (score.has_accuracy) {
          row.insert(row.end(), 2, std::string());
        } else {
          row.insert(row.end(), {score.relative_error(), score.cosine()});
        }
        table.rows.push_back(std::move(row));
      }
    }
  }
  return table;
}

Table spectrum_table(const Completeness& measured) {
  Table table{.name = "spectrum",
              .columns = {"tap", "basis", "draw", "count", "component", "explained", "cumulative"}};
  for (const TapCompleteness& tap : measured.taps) {
    for (const AblatedBasis& basis : tap.bases) {
      double sum = 0;
      std::int64_t count = 0;
      for (const std::int64_t component : ordered_components(basis.explained, Order::descending)) {
        const double share = basis.explained[component].item<double>();
        sum += share;
        table.rows.push_back({tap.space.name, basis.label, static_cast<std::int64_t>(basis.draw),
                              ++count, component, share, sum});
      }
    }
  }
  return table;
}

/// One draw with Wilson's band, several as their mean with a band from the least to the largest.
Series series_of(const Group& group, bool named_order) {
  Series series{.label = group.label};
  if (named_order) series.label += ", " + order_name(group.order);
  series.colour = group.basis;
  series.dash = static_cast<std::size_t>(group.order);
  for (const auto& [ablated, score] : group.draws.front()->scores) {
    double sum = 0;
    double low = left_of(score);
    double high = low;
    for (const Curve* curve : group.draws) {
      const double value = left_of(curve->scores.at(ablated));
      sum += value;
      low = std::min(low, value);
      high = std::max(high, value);
    }
    series.x.push_back(static_cast<double>(ablated));
    series.y.push_back(sum / static_cast<double>(group.draws.size()));
    if (group.draws.size() == 1 && !score.has_accuracy) continue;
    if (group.draws.size() == 1) {
      const Interval band = wilson_interval(score.top1_hits, score.count);
      low = band.low;
      high = band.high;
    }
    series.low.push_back(low);
    series.high.push_back(high);
  }
  if (group.draws.size() > 1) series.label += fmt::format(" ({} draws)", group.draws.size());
  return series;
}

/// Of axes for shares: the same for every tap, with room for the width of a line at 1.
constexpr std::pair share_range{0.0, 1.02};

std::string accuracy_title(Reference reference) {
  return reference == Reference::untouched_class ? "predictions that stay" : "top-1 accuracy";
}

Figure accuracy_figure(const TapCompleteness& tap, const Completeness& measured) {
  const bool accuracy = untouched(tap).has_accuracy;
  Figure figure{.title = tap.space.name + ": what ablation leaves",
                .x_title = fmt::format("number of directions ablated, of {}", tap.space.dimension),
                .y_title = accuracy ? accuracy_title(measured.reference) + ", with 95 % interval"
                                    : "1 - relative error"};
  figure.y_range = share_range;
  bool several_orders = false;
  const std::vector<Group> groups = groups_of(tap);
  for (const Group& group : groups) several_orders |= group.order != groups.front().order;
  for (const Group& group : groups) figure.series.push_back(series_of(group, several_orders));
  figure.references.push_back({"nothing ablated", left_of(untouched(tap))});
  if (accuracy && measured.reference == Reference::labels)
    figure.references.push_back({"chance", 1.0 / static_cast<double>(measured.classes)});
  return figure;
}

Figure spectrum_figure(const TapCompleteness& tap) {
  Figure figure{.title = tap.space.name + ": variance that the leading directions explain",
                .x_title = fmt::format("number of directions, of {}", tap.space.dimension),
                .y_title = "share of the variance",
                .y_range = share_range};
  std::size_t colour = 0;
  for (const AblatedBasis& basis : tap.bases) {
    if (basis.draw != 0) continue;  // one draw is like another
    Series series{.label = basis.label, .x = {0}, .y = {0}};
    series.colour = colour++;
    for (const std::int64_t component : ordered_components(basis.explained, Order::descending)) {
      series.x.push_back(static_cast<double>(series.x.size()));
      series.y.push_back(series.y.back() + basis.explained[component].item<double>());
    }
    figure.series.push_back(std::move(series));
  }
  return figure;
}

/// "12 to 14" of several draws.
std::string range_text(const TapCompleteness& tap, const std::string& label, double share) {
  std::int64_t low = tap.space.dimension + 1;
  std::int64_t high = -1;
  for (const AblatedBasis& basis : tap.bases) {
    if (basis.label != label) continue;
    const std::int64_t count = components_for(basis.explained, share);
    low = std::min(low, count);
    high = std::max(high, count);
  }
  if (low < 0) return "never";
  return low == high ? fmt::format("{}", low) : fmt::format("{} to {}", low, high);
}

std::string group_text(const Group& group, std::int64_t d) {
  const auto area = mean_of(group.draws, [d](const Curve& curve) { return area_under(curve, d); });
  const auto halved = mean_of(group.draws, halved_at);
  return fmt::format("{}: area {}, halved at {}", order_name(group.order),
                     area ? fmt::format("{:.3f}", *area) : "unknown",
                     halved ? fmt::format("{:.1f}", *halved) : "no count");
}

void add_lines(const TapCompleteness& tap, const Completeness& measured,
               std::vector<std::string>& lines) {
  const Score* all = all_ablated(tap);
  lines.push_back(fmt::format("{}  {} ({}, d = {}, {} rows), against the {}", tap.space.name,
                              fmt::join(tap.space.shape, "x"), axis_name(tap.space.axis),
                              tap.space.dimension, tap.rows, reference_name(measured.reference)));
  if (!tap.obstacle.empty()) {
    lines.push_back(
        fmt::format("  {:<16}the network, for each count: {}", "runs whole", tap.obstacle));
  }
  lines.push_back(fmt::format("  {:<16}{}", "untouched", score_line(untouched(tap))));
  if (all != nullptr) lines.push_back(fmt::format("  {:<16}{}", "all ablated", score_line(*all)));
  const std::vector<Group> groups = groups_of(tap);
  for (const Group& group : groups) {
    if (&group != &groups.front() && group.label == (&group - 1)->label) continue;
    std::vector<std::string> parts;
    for (const Group& other : groups) {
      if (other.label == group.label) parts.push_back(group_text(other, tap.space.dimension));
    }
    lines.push_back(fmt::format("  {:<16}80 % of the variance in {}, 99 % in {}{}{}", group.label,
                                range_text(tap, group.label, 0.80),
                                range_text(tap, group.label, 0.99), parts.empty() ? "" : "; ",
                                fmt::join(parts, "; ")));
  }
}

}  // namespace

StepResult completeness_report(const CompletenessOptions& options, const Completeness& measured) {
  StepResult result;
  result.inputs = measured.files;
  result.json = {{"data", split_name(options.data)},
                 {"statistics_data", split_name(options.statistics_data)},
                 {"against", reference_name(measured.reference)},
                 {"classes", measured.classes > 0 ? json(measured.classes) : json()},
                 {"taps", json::array()},
                 {"warnings", json::array()}};
  for (const TapCompleteness& tap : measured.taps) {
    result.json["taps"].push_back(tap_entry(tap));
    result.figures.push_back({tap.space.name + ".accuracy", accuracy_figure(tap, measured)});
    result.figures.push_back({tap.space.name + ".variance", spectrum_figure(tap)});
    add_lines(tap, measured, result.lines);
    for (const std::string& warning : tap.warnings) {
      result.json["warnings"].push_back(warning);
      result.lines.push_back(fmt::format("  {:<16}{}", "warning", warning));
    }
  }
  if (measured.reference == Reference::untouched_output) {
    const std::string note =
        "outputs are held against the untouched output: 1 - relative error is what is left";
    result.json["warnings"].push_back(note);
  }
  result.tables.push_back(curves_table(measured));
  result.tables.push_back(spectrum_table(measured));
  return result;
}

}  // namespace descramble
