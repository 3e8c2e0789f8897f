#include <algorithm>

#include <fmt/format.h>

#include "descramble/core/markup.h"
#include "descramble/core/version.h"
#include "descramble/report/report.h"
#include "report/assets.h"
#include "report/html.h"
#include "report/page_text.h"
#include "report/sections.h"

namespace descramble {

using nlohmann::json;

namespace {

/// A table of numbers that the page's script draws: the header and the rows of a CSV file.
json drawn_tables(const Record& record) {
  json tables = json::object();
  for (const char* name : {"curves", "spectrum", "convergence"}) {
    const std::string file = std::string(name) + ".csv";
    if (std::find(record.files.begin(), record.files.end(), file) == record.files.end()) continue;
    const std::vector<std::vector<std::string>> rows = parse_csv(record.read(file));
    if (rows.size() > 1) tables[name] = rows;
  }
  return tables;
}

std::string downloads(const Record& record) {
  std::string links;
  for (const std::string& file : record.files) {
    if (file.ends_with(".csv"))
      links += "<li>" + download(record.read(file), "text/csv", file) + "</li>";
  }
  links +=
      "<li>" + download(record.read("result.json"), "application/json", "result.json") + "</li>";
  return element("h3", "Data") + element("ul", links);
}

std::string run_section(const Record& record, std::size_t number) {
  const json& steps = record.result["steps"];
  std::string body = fmt::format("<h2 id='run-{}'>{}</h2>\n", number, markup(record.name));
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < steps.size(); ++i) order.push_back(i);
  // What directions show comes before everything else.
  std::stable_partition(order.begin(), order.end(),
                        [&](std::size_t i) { return steps[i].value("kind", "") == "explore"; });
  body += overview_section(record) + layers_section(record, number);
  body += fmt::format("<div class='charts' data-run='{}'></div>\n", number);
  for (const std::size_t step : order) body += step_section(record, number, step);
  return element("article", body + downloads(record));
}

std::string navigation(const std::vector<Record>& records) {
  std::string items;
  for (std::size_t i = 0; i < records.size(); ++i) {
    std::string steps;
    const json& all = records[i].result["steps"];
    for (std::size_t j = 0; j < all.size(); ++j) {
      steps += fmt::format("<li><a href='#{}'>{} {}</a></li>", step_id(i, j), j,
                           markup(all[j].value("kind", "step")));
    }
    items += fmt::format("<li><a href='#run-{}'>{}</a><ul>{}</ul></li>\n", i,
                         markup(records[i].name), steps);
  }
  return "<nav aria-label='Runs and steps'><ul>" + items + "</ul></nav>\n";
}

}  // namespace

std::string report_page(const std::vector<std::filesystem::path>& folders) {
  const std::vector<Record> records = open_records(folders);
  json data = json::array();
  std::string body;
  for (std::size_t i = 0; i < records.size(); ++i) {
    data.push_back({{"name", records[i].name}, {"tables", drawn_tables(records[i])}});
    body += run_section(records[i], i);
  }
  std::string title = "descramble: ";
  for (std::size_t i = 0; i < records.size(); ++i) title += (i == 0 ? "" : ", ") + records[i].name;
  return html_page({.title = title,
                    .body = "<a class='skip' href='#content'>To the content</a>\n<header><h1>" +
                            markup(title) + "</h1>" + navigation(records) +
                            "</header>\n<main id='content'>\n" + differences_section(records) +
                            body + "</main>\n<footer>descramble " + markup(version()) +
                            "</footer>\n",
                    .data = data,
                    .scripts = {asset_d3(), asset_plot(), asset_page_script()}});
}

}  // namespace descramble
