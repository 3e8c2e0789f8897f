#include <functional>

#include <fmt/format.h>

#include "descramble/core/error.h"
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

/// Tables as the folder has them; the page's script reads its charts of a whole run from these
/// links.
std::string downloads(const Record& record) {
  std::string links;
  for (const std::string& file : record.files) {
    if (file.ends_with(".csv"))
      links += "<li>" + download(record.read(file), "text/csv", file) + "</li>";
  }
  links += "<li>" + download(record.result.dump(), "application/json", "result.json") + "</li>";
  return element("h3", "Data") + element("ul", links);
}

std::string run_section(const Record& record, std::size_t number, json& shown) {
  const json& steps = record.result["steps"];
  std::string body = fmt::format("<h2 id='run-{}'>{}</h2>\n", number, markup(record.name));
  const auto add = [&](bool explorations) {
    for (std::size_t i = 0; i < steps.size(); ++i) {
      if ((steps[i].value("kind", "") == "explore") == explorations)
        body += step_section(record, number, i, shown);
    }
  };
  // What directions show comes before everything else.
  body += overview_section(record);
  add(/*explorations=*/true);
  body += map_section(record, number);
  body += "<div class='charts'></div>\n";
  add(/*explorations=*/false);
  return element("article", body + downloads(record));
}

/// @throws Error that names the folder where its files are not what this program writes
std::string in_folder(const Record& record, const std::function<std::string()>& section) {
  return within(record.folder.string(), [&] {
    try {
      return section();
    } catch (const json::exception& error) {
      throw Error({"a damaged result", "", "what 'descramble run' writes", error.what()});
    }
  });
}

/// The words of the page that a reader may not know.
std::string glossary() {
  return element("h2", "Words") +
         "<dl>\n"
         "<dt>tap</dt><dd>a place in the network whose values are looked at: the result of a layer "
         "or an operation</dd>\n"
         "<dt>basis, direction</dt><dd>a set of axes in the space of a layer's values, and one of "
         "them: a neuron, a principal component (pca), a random one, or one of a rotation that an "
         "earlier step has found</dd>\n"
         "<dt>ablated</dt><dd>set to the mean over the data, so that it tells the rest of the "
         "network nothing; descending: the directions with the largest variance first, ascending: "
         "the smallest first</dd>\n"
         "<dt>top1, top5</dt><dd>the share of samples whose class is the first, or among the first "
         "five, of the network's answers</dd>\n"
         "<dt>area, halved</dt><dd>the area under a curve of what ablation leaves, as a share, and "
         "the number of ablated directions at which half of it is gone</dd>\n"
         "<dt>P, W</dt><dd>the rotation of a layer, and the weights of a layer: P W are the "
         "descrambled weights</dd>\n"
         "</dl>\n";
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
    json shown = json::array();
    body += in_folder(records[i], [&] { return run_section(records[i], i, shown); });
    data.push_back({{"name", records[i].name}, {"figures", std::move(shown)}});
  }
  std::string title = "descramble: ";
  for (std::size_t i = 0; i < records.size(); ++i) title += (i == 0 ? "" : ", ") + records[i].name;
  return html_page({.title = title,
                    .body = "<a class='skip' href='#content'>To the content</a>\n<header><h1>" +
                            markup(title) + "</h1>" + navigation(records) +
                            "</header>\n<main id='content'>\n" + comparison_section(records) +
                            body + glossary() + "</main>\n<footer>descramble " + markup(version()) +
                            "</footer>\n",
                    .data = data,
                    .scripts = {asset_d3(), asset_plot(), asset_page_script()}});
}

bool is_report(const std::string& text) {
  // Earlier pages had no generator.
  return text.find("<meta name='generator' content='descramble report'>") != std::string::npos ||
         text.find("<title>descramble: ") != std::string::npos;
}

}  // namespace descramble
