#include <algorithm>
#include <map>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/markup.h"
#include "report/html.h"
#include "report/sections.h"

namespace descramble {

using nlohmann::json;

namespace {

constexpr double row_height = 24;
constexpr double spine = 150;  ///< x of the points; ways that pass others by go left of it
constexpr std::size_t most_points = 400;

struct MapPoint {
  std::string name{};
  std::string type{};
  std::vector<std::string> from{};
  std::vector<std::size_t> steps{};  ///< that name it
};

/// The points of the network, or those that steps name where the result does not list them. Of a
/// large network only the latter are drawn.
std::vector<MapPoint> points_of(const json& result, std::size_t& left_out) {
  std::vector<MapPoint> points;
  std::map<std::string, std::vector<std::size_t>> steps;
  std::vector<std::string> named;
  for (std::size_t i = 0; i < result["steps"].size(); ++i) {
    for (const std::string& tap : taps_of(result["steps"][i])) {
      if (!steps.contains(tap)) named.push_back(tap);
      if (steps[tap].empty() || steps[tap].back() != i) steps[tap].push_back(i);
    }
  }
  const json network = result.value("network", json::array());
  const bool whole = network.size() <= most_points;
  for (const json& one : network) {
    MapPoint point{.name = one.at("name"),
                   .type = one.at("type"),
                   .from = one.at("from").get<std::vector<std::string>>()};
    if (const auto found = steps.find(point.name); found != steps.end()) {
      point.steps = found->second;
      steps.erase(found);
    } else if (!whole) {
      ++left_out;
      continue;
    }
    points.push_back(std::move(point));
  }
  // `NAME.input` is no point of its own in the list: it stands before NAME, and NAME follows it.
  for (const std::string& tap : named) {
    if (!steps.contains(tap)) continue;
    MapPoint point{.name = tap, .steps = steps[tap]};
    constexpr std::string_view ending = ".input";
    const auto own = std::find_if(points.begin(), points.end(), [&](const MapPoint& one) {
      return tap == one.name + std::string(ending);
    });
    if (own == points.end()) {
      points.push_back(std::move(point));
      continue;
    }
    point.type = "input of " + own->name;
    point.from = own->from;
    own->from = {tap};
    points.insert(own, std::move(point));
  }
  return points;
}

std::string layer_id(std::size_t run, std::size_t point) {
  return fmt::format("run-{}-layer-{}", run, point);
}

/// Kinds of steps, each once.
std::string kinds_of(const json& result, const std::vector<std::size_t>& steps) {
  std::vector<std::string> kinds;
  for (const std::size_t step : steps) {
    const std::string kind = result["steps"][step].value("kind", "step");
    if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
  }
  return fmt::format("{}", fmt::join(kinds, ", "));
}

double y_of(std::size_t row) {
  return row_height * (static_cast<double>(row) + 0.5);
}

/// From the source, which stands higher, down to the point; past others on the left.
std::string way(std::size_t source, std::size_t point) {
  const double from = y_of(source);
  const double to = y_of(point);
  if (point == source + 1) return fmt::format("<path d='M{0} {1:g}V{2:g}'/>", spine, from, to);
  const double aside = std::min(spine - 10, 16 + 5 * static_cast<double>(point - source));
  return fmt::format("<path d='M{0} {1:g}C{3:g} {1:g} {3:g} {2:g} {0} {2:g}'/>", spine, from, to,
                     spine - aside);
}

std::string drawn(const std::vector<MapPoint>& points, const json& result, std::size_t run) {
  std::map<std::string, std::size_t> rows;
  std::string ways;
  std::string marks;
  std::size_t longest = 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const MapPoint& point = points[i];
    rows.emplace(point.name, i);
    for (const std::string& source : point.from) {
      const auto found = rows.find(source);
      if (found != rows.end() && found->second < i) ways += way(found->second, i);
    }
    const bool used = !point.steps.empty();
    const std::string kinds = kinds_of(result, point.steps);
    longest = std::max(longest, point.name.size() + point.type.size() + kinds.size());
    const std::string mark = fmt::format(
        "<circle cx='{0}' cy='{1:g}' r='6'/><text x='{2}' y='{3:g}'>{4}"
        "<tspan class='type' dx='8'>{5}</tspan><tspan class='steps' dx='8'>{6}</tspan></text>",
        spine, y_of(i), spine + 16, y_of(i) + 5, markup(point.name), markup(point.type),
        markup(kinds));
    marks += used ? fmt::format("<a class='used' href='#{}'>{}</a>\n", layer_id(run, i), mark)
                  : fmt::format("<g>{}</g>\n", mark);
  }
  constexpr double letter = 8;
  const double width = spine + 60 + letter * static_cast<double>(longest);
  const double height = row_height * static_cast<double>(points.size());
  return fmt::format(
      "<div class='map' tabindex='0' role='group' aria-label='Map of the network, from the input "
      "down'><svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0:g} {1:g}' width='{0:g}' "
      "height='{1:g}'>\n<g class='ways'>{2}</g>\n{3}</svg></div>\n",
      width, height, ways, marks);
}

/// The step's entry with that layer alone.
json of_layer(const json& step, const std::string& tap) {
  json result = json::object();
  for (const auto& [key, value] : step.items()) {
    if (key != "taps" || !value.is_array()) {
      result[key] = value;
      continue;
    }
    result[key] = json::array();
    for (const json& one : value) {
      if ((one.is_object() && one.value("name", "") == tap) || one == json(tap))
        result[key].push_back(one);
    }
  }
  return result;
}

/// "64x111x111, by channels; a position sees 51x51 of the input", from the first step that says so.
std::string facts_of(const std::vector<json>& entries) {
  std::string shape;
  std::string field;
  for (const json& entry : entries) {
    for (const json& tap : entry.value("taps", json::array())) {
      if (!tap.is_object()) continue;
      if (shape.empty() && tap.value("shape", json()).is_array()) {
        shape =
            fmt::format("{}, by {}", fmt::join(tap["shape"].get<std::vector<std::int64_t>>(), "x"),
                        tap.value("axis", ""));
      }
      const json extent = tap.value("field", json::object()).value("extent", json());
      if (field.empty() && extent.is_array()) {
        field = fmt::format("a position sees {} of the input",
                            fmt::join(extent.get<std::vector<std::int64_t>>(), "x"));
      }
    }
  }
  return shape + (shape.empty() || field.empty() ? "" : "; ") + field;
}

std::string layer(const MapPoint& point, const json& result, std::size_t run, std::size_t number) {
  std::string body;
  if (!point.from.empty()) {
    body += element("p", fmt::format("{}, computed from {}", markup(point.type),
                                     markup(fmt::format("{}", fmt::join(point.from, ", ")))));
  }
  std::vector<json> entries;
  for (const std::size_t step : point.steps)
    entries.push_back(of_layer(result["steps"][step], point.name));
  if (const std::string facts = facts_of(entries); !facts.empty())
    body += element("p", markup(facts));
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const json& entry = entries[i];
    const std::size_t step = point.steps[i];
    const std::string kind = entry.value("kind", "step");
    body +=
        fmt::format("<h4><a href='#{}'>{} · {}</a></h4>\n", step_id(run, step), step, markup(kind));
    // The strips of an exploration stand in its own section.
    if (kind != "explore") body += step_summary(entry);
  }
  return fmt::format("<details class='layer'><summary id='{}'>{}: {}</summary>\n{}</details>\n",
                     layer_id(run, number), markup(point.name),
                     markup(kinds_of(result, point.steps)), body);
}

}  // namespace

std::string map_section(const Record& record, std::size_t run) {
  std::size_t left_out = 0;
  const std::vector<MapPoint> points = points_of(record.result, left_out);
  std::string layers;
  for (std::size_t i = 0; i < points.size(); ++i) {
    if (!points[i].steps.empty()) layers += layer(points[i], record.result, run, i);
  }
  if (points.empty()) return "";
  std::string body = element("h3", "The network") + drawn(points, record.result, run);
  if (left_out > 0) {
    body +=
        element("p", fmt::format("{} points that no step names are left out.", left_out), "note");
  }
  return body + layers;
}

}  // namespace descramble
