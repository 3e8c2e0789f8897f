#include "results/figure_data.h"

#include <cmath>

#include <nlohmann/json.hpp>

#include "descramble/core/base64.h"

namespace descramble {

using nlohmann::json;

namespace {

json numbers(const std::vector<double>& values) {
  json list = json::array();
  for (const double value : values) list.push_back(std::isfinite(value) ? json(value) : json());
  return list;
}

json range(const std::optional<std::pair<double, double>>& ends) {
  return ends ? json{ends->first, ends->second} : json();
}

json data_of(const Figure& figure) {
  json series = json::array();
  for (const Series& one : figure.series) {
    json entry = {{"label", one.label},
                  {"x", numbers(one.x)},
                  {"y", numbers(one.y)},
                  {"steps", one.steps},
                  {"points", one.points}};
    if (!one.low.empty()) {
      entry["low"] = numbers(one.low);
      entry["high"] = numbers(one.high);
    }
    series.push_back(std::move(entry));
  }
  json references = json::array();
  for (const ReferenceLine& line : figure.references)
    references.push_back({{"label", line.label}, {"y", line.y}});
  return {{"kind", "curves"},
          {"title", figure.title},
          {"x_title", figure.x_title},
          {"y_title", figure.y_title},
          {"y_names", figure.y_names},
          {"log_x", figure.log_x},
          {"log_y", figure.log_y},
          {"series", std::move(series)},
          {"references", std::move(references)}};
}

std::string as_float32(const std::vector<double>& values) {
  const std::vector<float> narrow(values.begin(), values.end());
  return base64({reinterpret_cast<const char*>(narrow.data()), narrow.size() * sizeof(float)});
}

json data_of(const Panels& panels) {
  constexpr std::size_t most = 96;
  const std::vector<Place> places = places_of(panels);
  json list = json::array();
  for (std::size_t i = 0; i < panels.pictures.size(); ++i) {
    const Picture& given = panels.pictures[i];
    const Picture told = with_at_most(given, most);
    const Place& place = places[i];
    list.push_back({{"title", given.title},
                    {"x_title", given.x_title},
                    {"y_title", given.y_title},
                    {"label", given.label},
                    {"rows", told.rows},
                    {"columns", told.columns},
                    {"of", {given.rows, given.columns}},
                    {"x_range", range(given.x_range)},
                    {"y_range", range(given.y_range)},
                    {"place", {place.left, place.top, place.right, place.bottom}},
                    {"values", as_float32(told.values)}});
  }
  return {{"kind", "matrices"}, {"panels", std::move(list)}};
}

json data_of(const Picture& picture) {
  return data_of(Panels{{picture}});
}

json data_of(const Strips& strips) {
  const StripPlaces places = places_of(strips);
  json list = json::array();
  for (const Strip& strip : strips.strips)
    list.push_back({{"title", strip.title}, {"captions", strip.captions}, {"words", strip.words}});
  return {{"kind", "strips"},     {"title", strips.title},     {"strips", std::move(list)},
          {"tops", places.tops},  {"bottoms", places.bottoms}, {"lefts", places.lefts},
          {"width", places.width}};
}

}  // namespace

json figure_data(const Drawing& figure) {
  return std::visit([](const auto& one) { return data_of(one); }, figure);
}

}  // namespace descramble
