#include "results/figure_data.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include <nlohmann/json.hpp>

#include "descramble/core/base64.h"
#include "descramble/core/error.h"

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
  for (std::size_t i = 0; i < figure.series.size(); ++i) {
    const Series& one = figure.series[i];
    json entry = {{"label", one.label},          {"x", numbers(one.x)},
                  {"y", numbers(one.y)},         {"steps", one.steps},
                  {"points", one.points},        {"colour", one.colour.value_or(i)},
                  {"dash", one.dash.value_or(i)}};
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
          {"y_range", range(figure.y_range)},
          {"series", std::move(series)},
          {"references", std::move(references)}};
}

std::string as_float32(const std::vector<double>& values) {
  const std::vector<float> narrow(values.begin(), values.end());
  return base64({reinterpret_cast<const char*>(narrow.data()), narrow.size() * sizeof(float)});
}

constexpr std::size_t most = 96;  ///< rows and columns of a matrix

json data_of(const Panels& panels) {
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

namespace {

void require(bool holds, const std::string& what) {
  if (!holds) throw Error({"a damaged figure", "", "what 'descramble run' writes", what});
}

bool is_numbers(const json& list, std::size_t length) {
  return list.is_array() && list.size() == length &&
         std::all_of(list.begin(), list.end(),
                     [](const json& one) { return one.is_number() || one.is_null(); });
}

bool is_texts(const json& list) {
  return list.is_array() &&
         std::all_of(list.begin(), list.end(), [](const json& one) { return one.is_string(); });
}

void check_curves(const json& data) {
  for (const char* title : {"title", "x_title", "y_title"})
    require(data.at(title).is_string(), "no titles");
  require(is_texts(data.at("y_names")), "names of rows that are none");
  for (const json& series : data.at("series")) {
    const std::size_t length = series.at("x").size();
    require(series.at("label").is_string(), "a curve without a label");
    for (const char* list : {"x", "y", "low", "high"}) {
      const bool banded = series.contains("low") || series.contains("high");
      if (std::string_view(list).size() == 1 || banded)
        require(is_numbers(series.at(list), length), "lists of different length");
    }
    for (const char* number : {"colour", "dash"})
      require(series.at(number).is_number_unsigned(), "a curve without its colour");
  }
  for (const json& line : data.at("references"))
    require(line.at("label").is_string() && line.at("y").is_number(), "a line without its place");
}

void check_panel(const json& panel) {
  for (const char* title : {"title", "x_title", "y_title", "label"})
    require(panel.at(title).is_string(), "no titles");
  const auto side = [&](const json& value) {
    const bool good = value.is_number_unsigned() && value.get<std::size_t>() >= 1 &&
                      value.get<std::size_t>() <= most;
    require(good, "a matrix of " + value.dump() + " rows or columns");
    return value.get<std::size_t>();
  };
  const std::size_t entries = side(panel.at("rows")) * side(panel.at("columns"));
  require(from_base64(panel.at("values").get<std::string>()).size() == entries * sizeof(float),
          "another number of values");
  require(panel.at("of").size() == 2 && is_numbers(panel.at("of"), 2), "no size of the matrix");
  require(is_numbers(panel.at("place"), 4), "no place of the matrix");
  for (const char* ends : {"x_range", "y_range"})
    require(panel.at(ends).is_null() || is_numbers(panel.at(ends), 2), "a range that is none");
}

void check_strips(const json& data) {
  require(data.at("title").is_string() && data.at("width").is_number(), "no titles");
  const std::size_t rows = data.at("strips").size();
  require(is_numbers(data.at("tops"), rows) && is_numbers(data.at("bottoms"), rows),
          "strips without places");
  for (const json& strip : data["strips"]) {
    require(strip.at("title").is_string() && is_texts(strip.at("captions")) &&
                is_texts(strip.at("words")) && strip["captions"].size() <= data.at("lefts").size(),
            "a strip without its captions");
  }
  require(is_numbers(data.at("lefts"), data["lefts"].size()), "columns without places");
}

}  // namespace

const json& checked_figure_data(const json& data) {
  try {
    const std::string kind = data.at("kind");
    if (kind == "curves") check_curves(data);
    if (kind == "strips") check_strips(data);
    if (kind == "matrices") {
      for (const json& panel : data.at("panels")) check_panel(panel);
    }
    require(kind == "curves" || kind == "strips" || kind == "matrices", "'" + kind + "'");
  } catch (const json::exception& error) {
    require(false, error.what());
  }
  return data;
}

}  // namespace descramble
