#include <ostream>
#include <string>

#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "descramble/core/error.h"
#include "experiment/initial_config.h"

namespace descramble {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

/// The keys that a person looks for first come first.
ordered_json arranged(const json& value) {
  if (value.is_array()) {
    ordered_json list = ordered_json::array();
    for (const json& entry : value) list.push_back(arranged(entry));
    return list;
  }
  if (!value.is_object()) return ordered_json(value);
  ordered_json result = ordered_json::object();
  for (const char* key : {"name", "kind", "tap", "taps", "from", "to", "path", "model", "data"}) {
    if (value.contains(key)) result[key] = arranged(value.at(key));
  }
  for (const auto& [key, entry] : value.items()) {
    if (!result.contains(key)) result[key] = arranged(entry);
  }
  return result;
}

}  // namespace

int init_command(const InitOptions& options, std::ostream& out, std::ostream& err) {
  if (options.data && options.data->empty())
    throw Error({"no data", "--data", "a file or folder", "an empty name"});
  InitialOptions given{.model = options.model, .method = options.method};
  if (options.data) given.data = *options.data;
  for (const std::string& text : options.inputs) given.inputs.push_back(parse_input_spec(text));
  const InitialConfig initial = initial_config(given);
  for (const std::string& note : initial.notes) err << "note: " << printable(note) << '\n';
  std::string text;
  try {
    text = arranged(initial.config).dump(2);
  } catch (const json::type_error&) {
    throw Error(
        {"a name that a config cannot hold", options.model.string(), "UTF-8", "other bytes"});
  }
  out << text << '\n';
  return 0;
}

}  // namespace descramble
