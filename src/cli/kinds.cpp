#include <algorithm>
#include <ostream>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "descramble/core/error.h"
#include "descramble/core/json.h"
#include "experiment/config.h"

namespace descramble {

namespace {

void print_fields(const std::vector<Field>& fields, std::ostream& out) {
  std::size_t width = 0;
  for (const Field& field : fields) width = std::max(width, field.name.size());
  for (const Field& field : fields) {
    const std::string fallback = !field.fallback ? "required" : "default " + field.fallback->text;
    out << fmt::format("    {:<{}}  {} ({}; {})\n", field.name, width, field.doc, type_text(field),
                       fallback);
  }
}

void print_kind(const KindFamily& family, const KindInfo& kind, std::ostream& out) {
  out << fmt::format("{} '{}': {}{}\n", family.title, kind.name, kind.summary,
                     !kind.exactly_one.empty()
                         ? fmt::format(" (exactly one of {})", quoted_list(kind.exactly_one))
                     : !kind.at_most_one.empty()
                         ? fmt::format(" (at most one of {})", quoted_list(kind.at_most_one))
                         : "");
  if (!kind.formula.empty()) out << "    formula: " << kind.formula << '\n';
  if (!kind.source.empty()) out << "    source: " << kind.source << '\n';
  print_fields(kind.fields, out);
  print_fields(family.common, out);
}

}  // namespace

int kinds_command(const std::string& name, bool as_schema, std::ostream& out) {
  if (as_schema) {
    out << write_json(config_schema(), "schema");
    return 0;
  }
  std::vector<std::string> known;
  bool found = false;
  for (const KindFamily* family : all_families()) {
    if (name.empty()) out << family->title << '\n';
    known.push_back(family->title);
    for (const KindInfo& kind : family->kinds) {
      known.push_back(kind.name);
      if (name.empty()) {
        out << fmt::format("    {:<28}  {}\n", kind.name, kind.summary);
      } else if (kind.name == name || family->title == name) {
        print_kind(*family, kind, out);
        found = true;
      }
    }
  }
  if (!name.empty() && !found) {
    throw Error(
        {"unknown kind", "kinds",
         "a kind (see descramble kinds); the nearest are " + quoted_list(nearest(name, known, 5)),
         "'" + name + "'"});
  }
  return 0;
}

}  // namespace descramble
