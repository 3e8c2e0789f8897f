#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "descramble/core/error.h"
#include "descramble/core/markup.h"
#include "descramble/reading/kinds.h"
#include "report/figure_element.h"
#include "report/html.h"
#include "report/sections.h"

namespace descramble {

using nlohmann::json;

namespace {

std::string number(const json& value) {
  if (value.is_number_float()) return fmt::format("{:.6g}", value.get<double>());
  if (value.is_number()) return value.dump();
  if (value.is_null()) return "none";
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string or_blank(const json& value) {
  return value.is_null() ? std::string() : number(value);
}

std::string percent(const json& value) {
  return value.is_number() ? fmt::format("{:.2f} %", 100 * value.get<double>()) : number(value);
}

std::string evaluated(const json& step) {
  HtmlTable table{.columns = {"Measure", "Value"}};
  for (const auto& [key, value] : step.items()) {
    if (key == "kind" || value.is_structured() || value.is_null()) continue;
    const bool share = key.starts_with("top");
    table.rows.push_back({key, share ? percent(value) : number(value)});
  }
  return html_table(table);
}

/// What a certificate means, in a sentence.
std::string certified(const json& step) {
  if (!step.contains("certificate")) return "";
  const json& one = step["certificate"];
  const std::string exported =
      one.contains("exported") && one["exported"].is_number()
          ? fmt::format(" The exported model, loaded again, differs by {}.",
                        number(one["exported"]))
          : "";
  return element("p",
                 markup(fmt::format(
                     "The function stayed the same: with the rotation and its inverse "
                     "inserted, outputs differ by {} of the largest one (allowed: {}), and "
                     "the rotation is orthogonal to {}.{}",
                     number(one.value("inserted", json())), number(one.value("allowed", json())),
                     number(one.value("orthogonality", json())), exported)),
                 "certificate");
}

std::string descrambled(const json& step) {
  HtmlTable table{.caption = "The objective, at the units as they are and at the rotation found",
                  .columns = {"Tap", "Objective", "Before", "After", "Times less",
                              "On held-out data: before", "After", "Optimum", "Stopped because"}};
  const auto add = [&](const std::string& name, const json& of) {
    const json objective = of.value("objective", json::object());
    const json solver = of.value("solver", json::object());
    const json held_out = objective.value("held_out", json::object());
    const json before = objective.value("before", json());
    const json after = objective.value("after", json());
    const bool smaller = before.is_number() && after.is_number() && after.get<double>() > 0 &&
                         objective.value("sense", "") == "minimise";
    const std::string reason = number(solver.value("reason", json()));
    table.rows.push_back(
        {name, number(step.value("objective", json::object()).value("kind", json())),
         number(before), number(after),
         smaller ? fmt::format("{:.4g}", before.get<double>() / after.get<double>()) : "",
         held_out.contains("before") ? number(held_out["before"]) : "",
         held_out.contains("after") ? number(held_out["after"]) : "",
         number(objective.value("optimum", json())), reason == "exact" ? "closed form" : reason});
  };
  for (const json& tap : step.value("taps", json::array())) add(tap.value("name", ""), tap);
  if (table.rows.size() != 1) add("all", step);
  return html_table(table) + certified(step);
}

std::string completed(const json& step) {
  HtmlTable table{
      .caption = "Area under the curve of what is left, and the count at which half of it is gone",
      .columns = {"Tap", "Basis", "Order", "Area", "Halved", "80 % of the variance", "99 %"}};
  for (const json& tap : step.value("taps", json::array())) {
    for (const json& basis : tap.value("bases", json::array())) {
      for (const json& order : basis.value("orders", json::array())) {
        table.rows.push_back(
            {tap.value("name", ""), number(basis.value("label", json())),
             number(order.value("order", json())), number(order.value("area", json())),
             number(order.value("halved", json())), number(basis.value("components_80", json())),
             number(basis.value("components_99", json()))});
      }
    }
  }
  return html_table(table);
}

std::string read_answers_of(const json& step) {
  std::string result;
  for (const json& reading : step.value("readings", json::array())) {
    const json controls = reading.value("controls", json::object());
    HtmlTable table{.caption = reading.value("label", reading.value("kind", "")),
                    .columns = {"Answer", "Value", "± standard error", "Unit"}};
    for (const auto& [name, unused] : controls.items()) table.columns.push_back(name);
    for (const json& answer : reading.value("answers", json::array())) {
      std::vector<std::string> row{
          number(answer.value("name", json())), number(answer.value("value", json())),
          or_blank(answer.value("uncertainty", json())), or_blank(answer.value("unit", json()))};
      for (const auto& [name, its] : controls.items()) {
        row.emplace_back("");
        for (const json& other : its) {
          if (other.value("name", json()) == answer.value("name", json()))
            row.back() = number(other.value("value", json()));
        }
      }
      table.rows.push_back(std::move(row));
    }
    const std::string kind = reading.value("kind", "");
    for (const ReadingKind& known : reading_kinds()) {
      if (known.info.name == kind) result += element("p", markup(known.info.summary), "note");
    }
    result += html_table(table);
    for (const json& note : reading.value("notes", json::array()))
      result += element("p", markup(number(note)), "note");
  }
  return result;
}

std::string trained(const json& step) {
  HtmlTable table{.caption = "Epochs", .columns = {"epoch", "lr", "train_loss", "test_loss"}};
  const json epochs = step.value("epochs", json::array());
  if (!epochs.is_array()) return "";
  for (const json& epoch : epochs) {
    std::vector<std::string> row;
    for (const std::string& column : table.columns)
      row.push_back(number(epoch.value(column, json())));
    table.rows.push_back(std::move(row));
  }
  return details(fmt::format("{} epochs", table.rows.size()), html_table(table)) + evaluated(step);
}

constexpr const char* about_strips =
    "Each row is a direction: its number, and the share of the variance along it. Each column is a "
    "point on the line along it, and the pictures are the samples whose values are nearest to the "
    "point; grey lies outside of the image. Below each column stand the point's place s on the "
    "line and how far off the line these samples lie on the average. Where that is more than the "
    "way "
    "from one point to the next, no sample is near the line, and the pictures show what comes "
    "closest.";

std::string explored(const json& step) {
  std::string result;
  for (const json& tap : step.value("taps", json::array())) {
    for (const json& basis : tap.value("bases", json::array())) {
      HtmlTable table{.columns = {"Component", "Variance explained", "Point", "Place s",
                                  "Distance from the line", "Nearest samples"}};
      for (const json& direction : basis.value("directions", json::array())) {
        const json points = direction.value("points", json::array());
        for (std::size_t i = 0; i < points.size(); ++i) {
          std::vector<std::string> samples;
          for (const json& one : points[i].value("neighbours", json::array()))
            samples.push_back(number(one.value("sample", json())));
          table.rows.push_back({number(direction.value("component", json())),
                                percent(direction.value("explained", json())), std::to_string(i),
                                number(points[i].value("place", json())),
                                number(points[i].value("off_line", json())),
                                fmt::format("{}", fmt::join(samples, ", "))});
        }
      }
      result += details(
          fmt::format("{}, {}: the numbers", tap.value("name", ""), basis.value("label", "")),
          html_table(table));
    }
  }
  return result;
}

/// Leaves of a step's entry, for kinds without a table of their own.
std::string all_numbers(const json& step) {
  HtmlTable table{.columns = {"Field", "Value"}};
  constexpr std::size_t most = 200;
  const std::function<void(const json&, const std::string&)> add = [&](const json& value,
                                                                       const std::string& place) {
    if (table.rows.size() >= most) return;
    if (!value.is_structured()) {
      table.rows.push_back({place, number(value)});
      return;
    }
    for (const auto& [key, inner] : value.items()) add(inner, place + "/" + key);
  };
  add(step, "");
  return details(table.rows.size() >= most
                     ? fmt::format("The first {} fields of this step in result.json", most)
                     : "All fields of this step in result.json",
                 html_table(table));
}

}  // namespace

std::string step_summary(const json& entry) {
  static const std::map<std::string, std::string (*)(const json&)> summaries = {
      {"evaluate", evaluated},   {"descramble", descrambled}, {"completeness", completed},
      {"read", read_answers_of}, {"train", trained},          {"explore", explored}};
  const auto found = summaries.find(entry.value("kind", ""));
  return found == summaries.end() ? certified(entry) : found->second(entry);
}

std::string step_section(const Record& record, std::size_t run, std::size_t step, json& shown) {
  const json& entry = record.result["steps"][step];
  const std::string kind = entry.value("kind", "step");
  std::string figures;
  const std::string prefix = fmt::format("steps.{}.", step);
  const bool trains = kind == "train";
  for (const std::string& file : record.files) {
    const bool own = file.starts_with(prefix) || (trains && file.starts_with("probe_"));
    if (!own || !file.ends_with(".svg")) continue;
    const std::string name = file.substr(0, file.size() - 4);
    const std::string caption = file.starts_with(prefix) ? name.substr(prefix.size()) : name;
    figures += figure_element({.name = name,
                               .svg = record.read(file),
                               .caption = caption,
                               .alternative = kind + " " + caption,
                               .data = record.figures.value(name, json()),
                               .wide = kind == "explore"},
                              run, shown);
  }
  std::string body = fmt::format("<h3>{} · {}{}</h3>\n", step, markup(kind), [&] {
    const std::vector<std::string> taps = taps_of(entry);
    return taps.empty() ? std::string() : ": " + markup(fmt::format("{}", fmt::join(taps, ", ")));
  }());
  for (const json& warning : entry.value("warnings", json::array()))
    body += element("p", "Warning: " + markup(number(warning)), "warning");
  const bool figures_first = kind == "explore";
  // The strips of an exploration come first: a person looks at them before anything else.
  if (figures_first) body += element("p", about_strips) + figures;
  body += within(prefix, [&] { return step_summary(entry); });
  body += weights_of_step(record, run, step, shown);
  if (!figures_first) body += figures;
  body += all_numbers(entry);
  return fmt::format("<section id='{}'>\n{}</section>\n", step_id(run, step), body);
}

}  // namespace descramble
