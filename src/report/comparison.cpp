#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

#include "report/html.h"
#include "report/sections.h"

namespace descramble {

using nlohmann::json;

namespace {

void flatten(const json& value, const std::string& pointer,
             std::map<std::string, std::string>& leaves) {
  if (value.is_structured() && !value.empty()) {
    for (const auto& [key, inner] : value.items()) flatten(inner, pointer + "/" + key, leaves);
    return;
  }
  leaves[pointer] = value.dump();
}

/// Rows of names and what each run has there, in the order in which names come.
class SideBySide {
 public:
  explicit SideBySide(std::size_t runs) : runs_(runs) {}

  void add(const std::string& name, std::size_t run, const std::string& value) {
    const auto [found, fresh] = rows_.try_emplace(name, std::vector<std::string>(runs_));
    if (fresh) order_.push_back(name);
    found->second[run] = value;
  }

  /// The rows that `wanted` takes.
  template <typename Wanted>
  HtmlTable table(const std::string& first, const std::vector<Record>& records,
                  const Wanted& wanted) const {
    HtmlTable result{.columns = {first}};
    for (const Record& record : records) result.columns.push_back(record.name);
    for (const std::string& name : order_) {
      const std::vector<std::string>& values = rows_.at(name);
      if (!wanted(values)) continue;
      result.rows.push_back({name});
      result.rows.back().insert(result.rows.back().end(), values.begin(), values.end());
    }
    return result;
  }

 private:
  std::size_t runs_;
  std::map<std::string, std::vector<std::string>> rows_{};
  std::vector<std::string> order_{};
};

/// How an element of a list is called: by what it says of itself, else by its place.
std::string called(const json& element, std::size_t place) {
  for (const char* key : {"name", "label", "order", "kind"}) {
    if (element.is_object() && element.contains(key) && element[key].is_string())
      return element[key];
  }
  return std::to_string(place);
}

/// Every number of a step, named by the way to it: "fc2, pca, descending, area". Lists of numbers,
/// and of what belongs to single samples or epochs, are left out.
void add_numbers(const json& value, const std::string& way, std::size_t run, SideBySide& all) {
  if (value.is_number()) {
    all.add(way, run,
            value.is_number_float() ? fmt::format("{:.6g}", value.get<double>()) : value.dump());
  } else if (value.is_object()) {
    // What a step says of its only layer it says at the layer, too.
    const json only =
        value.contains("taps") && value["taps"].is_array() && value["taps"].size() == 1
            ? value["taps"][0]
            : json();
    for (const auto& [key, inner] : value.items()) {
      if (only.is_object() && only.contains(key)) continue;
      const bool many = key == "epochs" || key == "points" || key == "shape" || key == "field";
      // The lists of taps, bases, orders and readings are named by their elements.
      if (!many)
        add_numbers(inner, inner.is_array() ? way : way + (way.empty() ? "" : ", ") + key, run,
                    all);
    }
  } else if (value.is_array()) {
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (value[i].is_object())
        add_numbers(value[i], way + (way.empty() ? "" : ", ") + called(value[i], i), run, all);
    }
  }
}

/// "completeness", or "completeness 2" for the second step of the kind.
std::string step_name(const json& steps, std::size_t step) {
  const std::string kind = steps[step].value("kind", "step");
  int count = 1;
  for (std::size_t i = 0; i < step; ++i) count += steps[i].value("kind", "step") == kind ? 1 : 0;
  return count == 1 ? kind : fmt::format("{} {}", kind, count);
}

}  // namespace

std::string comparison_section(const std::vector<Record>& records) {
  if (records.size() < 2) return "";
  SideBySide fields(records.size());
  SideBySide numbers(records.size());
  std::map<std::string, int> models;
  for (std::size_t run = 0; run < records.size(); ++run) {
    const json& result = records[run].result;
    std::map<std::string, std::string> leaves;
    flatten(result.value("config", json()), "", leaves);
    for (const auto& [pointer, value] : leaves) fields.add(pointer, run, value);
    const json& steps = result["steps"];
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if (steps[i].value("kind", "") != "explore")
        add_numbers(steps[i], step_name(steps, i), run, numbers);
    }
    for (const json& input : result.value("inputs", json::array())) {
      if (input.value("role", "") == "model") ++models[input.value("sha256", "")];
    }
  }
  std::string body;
  if (models.size() > 1) {
    body += element("p",
                    "The runs are of different models: layers of the same name are not the same "
                    "layer.",
                    "warning");
  }
  const HtmlTable different = fields.table("Field", records, [](const auto& values) {
    return std::any_of(values.begin(), values.end(),
                       [&](const std::string& value) { return value != values.front(); });
  });
  body += different.rows.empty()
              ? element("p", "The configs are the same.")
              : details(fmt::format("{} fields differ between the configs", different.rows.size()),
                        html_table(different));
  HtmlTable common = numbers.table("Number", records, [](const auto& values) {
    return std::count(values.begin(), values.end(), "") + 2 <= std::ssize(values);
  });
  if (!common.rows.empty()) {
    // Runs that have no such number do not count.
    const auto equal = std::stable_partition(
        common.rows.begin(), common.rows.end(), [](const std::vector<std::string>& row) {
          const std::set<std::string> values(row.begin() + 1, row.end());
          return values.size() - values.count("") > 1;
        });
    const auto differ = equal - common.rows.begin();
    body += details(fmt::format("{} numbers that several runs have{}", common.rows.size(),
                                differ == 0 ? ", all equal"
                                            : fmt::format("; {} differ, and come first", differ)),
                    html_table(common));
  }
  return element("section", element("h2", "The runs beside each other") + body +
                                "<div class='charts' data-all=''></div>\n");
}

}  // namespace descramble
