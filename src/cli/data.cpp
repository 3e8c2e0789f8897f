#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "descramble/core/error.h"
#include "descramble/core/files.h"
#include "descramble/core/json.h"
#include "descramble/data/kinds.h"
#include "experiment/workspace.h"

namespace descramble {

namespace {

constexpr const char* about_file = "descramble-data.json";

const SourceKind& generated_kind(const std::string& name) {
  std::vector<std::string> known;
  for (const SourceKind& kind : source_kinds()) {
    if (kind.write == nullptr) continue;
    if (kind.info.name == name) return kind;
    known.push_back(kind.info.name);
  }
  throw Error({"no generated data set of that name", "data",
               known.size() == 1 ? quoted_list(known) : "one of " + quoted_list(known),
               "'" + name + "'"});
}

}  // namespace

int data_command(const DataOptions& options, Progress& progress) {
  const SourceKind& kind = generated_kind(options.kind);
  const ThreadScope all_cores(0);
  nlohmann::json given = {{"kind", options.kind}};
  for (const std::string& assignment : options.assignments) set_by_pointer(given, assignment);
  if (given.at("kind") != options.kind) {
    throw Error(
        {"the kind is set twice", "/kind", "'" + options.kind + "'", given.at("kind").dump()});
  }
  if (given.contains("count")) {
    throw Error(
        {"the number of samples is set twice", "/count", "--train N and --test N", "--set /count"});
  }
  AtomicFolder folder(options.out, {.force = options.force, .marker = about_file});
  nlohmann::json about = {{"schema_version", 1}, {"kind", options.kind}, {"seed", options.seed}};
  for (const auto& [split, count] :
       {std::pair{"train", options.train}, std::pair{"test", options.test}}) {
    nlohmann::json config = given;
    config["count"] = count;
    const Source source = open_source(resolve_kind(source_family(), config, ""),
                                      {.seed = options.seed, .split = split, .pointer = ""});
    about[split] = {{"count", source.data->size()}};
    std::vector<std::string> names;
    for (const auto& [role, name] : kind.write(*source.data, folder.path(), split)) {
      about[split][role] = name;
      names.push_back(name);
    }
    progress.say(
        fmt::format("{}: {} samples in {}", split, source.data->size(), fmt::join(names, " and ")));
  }
  if (given.size() > 1) about["fields"] = given;
  write_file(folder.path() / about_file, write_json(about, about_file));
  folder.commit();
  progress.say("data  " + options.out.string());
  return 0;
}

}  // namespace descramble
