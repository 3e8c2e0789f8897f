#include "results/explore_report.h"

#include <algorithm>
#include <cmath>

#include <ATen/ops/cat.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/plot/strips.h"
#include "results/or_null.h"
#include "results/tap_json.h"

namespace descramble {

using nlohmann::json;

namespace {

double mean_off_line(const ExploredPoint& point) {
  double sum = 0;
  for (const Neighbour& one : point.neighbours) sum += one.off_line;
  return point.neighbours.empty() ? 0 : sum / static_cast<double>(point.neighbours.size());
}

json field_json(const ReceptiveField& field) {
  return {{"input", field.input},
          {"extent", field.extent()},
          {"positions", field.positions},
          {"obstacle", or_null(field.obstacle)}};
}

json neighbour_json(const Neighbour& one, const ReceptiveField& field) {
  json box = json::array();
  for (const IndexRange& range : field.box(one.position)) box.push_back({range.begin, range.end});
  return {{"sample", one.sample},     {"position", one.position}, {"projection", one.projection},
          {"distance", one.distance}, {"off_line", one.off_line}, {"box", std::move(box)}};
}

json basis_json(const ExploredBasis& basis, const ReceptiveField& field,
                const std::string& tensor) {
  json directions = json::array();
  for (const ExploredDirection& direction : basis.directions) {
    json points = json::array();
    for (const ExploredPoint& point : direction.points) {
      json neighbours = json::array();
      for (const Neighbour& one : point.neighbours)
        neighbours.push_back(neighbour_json(one, field));
      points.push_back({{"place", point.place},
                        {"off_line", mean_off_line(point)},
                        {"neighbours", std::move(neighbours)}});
    }
    directions.push_back({{"component", direction.component},
                          {"explained", direction.explained},
                          {"low", direction.low},
                          {"high", direction.high},
                          {"points", std::move(points)}});
  }
  return {{"label", basis.label}, {"shown", tensor}, {"directions", std::move(directions)}};
}

void add_rows(const ExploredTap& tap, Table& table) {
  for (const ExploredBasis& basis : tap.bases) {
    for (const ExploredDirection& direction : basis.directions) {
      for (std::size_t j = 0; j < direction.points.size(); ++j) {
        const ExploredPoint& point = direction.points[j];
        for (std::size_t k = 0; k < point.neighbours.size(); ++k) {
          const Neighbour& one = point.neighbours[k];
          table.rows.push_back({tap.space.name, basis.label, direction.component,
                                direction.explained, static_cast<std::int64_t>(j), point.place,
                                static_cast<std::int64_t>(k), one.sample, one.position,
                                one.projection, one.distance, one.off_line});
        }
      }
    }
  }
}

std::vector<std::vector<double>> curves(const at::Tensor& samples) {
  const at::Tensor plain = samples.flatten(1).to(at::kDouble).contiguous();
  const auto* values = plain.data_ptr<double>();
  std::vector<std::vector<double>> result;
  for (std::int64_t k = 0; k < plain.size(0); ++k)
    result.emplace_back(values + k * plain.size(1), values + (k + 1) * plain.size(1));
  return result;
}

/// Words around the position that is near, the word itself in brackets.
std::string words_around(const at::Tensor& ids, std::int64_t position,
                         const std::vector<std::string>& vocabulary) {
  constexpr std::int64_t around = 2;
  const at::Tensor plain = ids.flatten().to(at::kLong).contiguous();
  const std::int64_t length = plain.size(0);
  const bool marked = position < length;
  std::string text;
  for (std::int64_t i = marked ? std::max<std::int64_t>(0, position - around) : 0;
       i < (marked ? std::min(length, position + around + 1) : std::min<std::int64_t>(length, 5));
       ++i) {
    const std::int64_t id = plain.data_ptr<std::int64_t>()[i];
    const bool known = id >= 0 && id < std::ssize(vocabulary);
    const std::string word = known ? vocabulary[static_cast<std::size_t>(id)] : std::to_string(id);
    text += (text.empty() ? "" : " ") + (marked && i == position ? "[" + word + "]" : word);
  }
  return text;
}

StripCell cell_of(const ExploredPoint& point, const at::Tensor& shown, bool images,
                  const std::vector<std::string>& vocabulary) {
  const at::Tensor there = shown.narrow(
      0, 0, std::max<std::int64_t>(1, std::min(std::ssize(point.neighbours), shown.size(0))));
  if (images) return tiled(there, std::min<std::int64_t>(there.size(0), 3), /*line=*/1);
  if (there.is_floating_point()) return curves(there);
  std::vector<std::string> lines;
  for (std::size_t k = 0; k < point.neighbours.size(); ++k) {
    lines.push_back(words_around(there[static_cast<std::int64_t>(k)], point.neighbours[k].position,
                                 vocabulary));
  }
  return lines;
}

std::string samples_in_words(const ExploredPoint& point) {
  std::vector<std::string> samples;
  for (const Neighbour& one : point.neighbours)
    samples.push_back(fmt::format("{} (at distance {:.3g})", one.sample, one.distance));
  return fmt::format("samples {}", fmt::join(samples, ", "));
}

Strips strips_of(const ExploreOptions& options, const ExploredTap& tap, const ExploredBasis& basis,
                 bool images, const std::vector<std::string>& vocabulary) {
  Strips result{
      .title = fmt::format("{}, {}", tap.space.name, basis.label),
      .note = fmt::format(
          "Each row is a direction through {}, each column a point s on it: the {} samples whose "
          "values are nearest{}. Below: s, and how far off the line these samples are on the "
          "average.",
          options.through == Through::mean ? "the mean" : "zero", options.patches,
          options.nearness == Nearness::space ? "" : " along the direction")};
  for (std::size_t i = 0; i < basis.directions.size(); ++i) {
    const ExploredDirection& direction = basis.directions[i];
    Strip strip{.title =
                    fmt::format("{} ({:.1f} %)", direction.component, 100 * direction.explained)};
    for (std::size_t j = 0; j < direction.points.size(); ++j) {
      const ExploredPoint& point = direction.points[j];
      strip.cells.push_back(
          cell_of(point, basis.shown[static_cast<std::int64_t>(i)][static_cast<std::int64_t>(j)],
                  images, vocabulary));
      strip.captions.push_back(
          fmt::format("s {:.3g}, off {:.3g}", point.place, mean_off_line(point)));
      strip.words.push_back(samples_in_words(point));
    }
    result.strips.push_back(std::move(strip));
  }
  return result;
}

}  // namespace

StepResult explore_report(const ExploreOptions& options, const Exploration& found,
                          const std::vector<std::string>& vocabulary) {
  StepResult result;
  Table table{.name = "explore",
              .columns = {"tap", "basis", "component", "explained", "point", "place", "rank",
                          "sample", "position", "projection", "distance", "off_line"}};
  json taps = json::array();
  json warnings = json::array();
  for (const ExploredTap& tap : found.taps) {
    const std::vector<std::int64_t> extent = tap.field.extent();
    result.lines.push_back(fmt::format("{} ({}, d = {}): a position sees {} of {} of the input",
                                       tap.space.name, axis_name(tap.space.axis),
                                       tap.space.dimension, fmt::join(extent, "x"),
                                       fmt::join(tap.field.input, "x")));
    json bases = json::array();
    for (const ExploredBasis& basis : tap.bases) {
      const std::string tensor = tap.space.name + "." + basis.label + ".shown";
      result.tensors[tensor] = basis.shown;
      bases.push_back(basis_json(basis, tap.field, tensor));
      std::vector<std::string> shares;
      for (const ExploredDirection& direction : basis.directions)
        shares.push_back(
            fmt::format("{} ({:.1f} %)", direction.component, 100 * direction.explained));
      result.lines.push_back(fmt::format("  {:<12}{}", basis.label, fmt::join(shares, ", ")));
      result.figures.push_back({tap.space.name + "." + basis.label,
                                strips_of(options, tap, basis, found.images, vocabulary)});
    }
    json entry = tap_json(tap.space);
    entry["field"] = field_json(tap.field);
    entry["bases"] = std::move(bases);
    taps.push_back(std::move(entry));
    add_rows(tap, table);
    for (const std::string& warning : tap.warnings) {
      warnings.push_back(warning);
      result.lines.push_back("  warning: " + warning);
    }
  }
  result.json = {{"data", split_name(options.data)},
                 {"images", found.images},
                 {"taps", std::move(taps)},
                 {"vocabulary", vocabulary},
                 {"warnings", std::move(warnings)}};
  result.tables.push_back(std::move(table));
  result.inputs = found.files;
  return result;
}

}  // namespace descramble
