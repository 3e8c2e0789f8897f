#include <algorithm>
#include <ostream>

#include <ATen/core/ivalue.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/commands.h"
#include "descramble/core/error.h"
#include "descramble/core/json.h"
#include "descramble/model/example_inputs.h"
#include "descramble/taps/point.h"

namespace descramble {

int list_command(const TapsOptions& options, std::ostream& out) {
  const Model model = load_model(options.model, "cpu", options.method);
  std::vector<InputSpec> specs;
  for (const std::string& text : options.inputs) specs.push_back(parse_input_spec(text));
  std::vector<TapReading> readings;
  if (specs.empty()) {
    for (TapPoint& point : list_taps(model)) readings.push_back({.point = std::move(point)});
  } else {
    if (!list_taps(model).empty()) readings = read_taps(model, example_inputs(model, specs));
  }
  const bool ran = !specs.empty();
  if (options.as_json) {
    nlohmann::json list = nlohmann::json::array();
    for (const TapReading& reading : readings) {
      nlohmann::json entry = {{"name", reading.point.name},
                              {"kind", reading.point.kind},
                              {"type", reading.point.type},
                              {"from", reading.point.from}};
      if (ran) {
        entry["shape"] = reading.fired > 0 ? nlohmann::json(reading.sizes) : nlohmann::json();
        entry["dtype"] = reading.fired > 0 ? nlohmann::json(reading.dtype) : nlohmann::json();
        entry["fired"] = reading.fired;
        entry["axis"] = reading.axis.empty() ? nlohmann::json() : nlohmann::json(reading.axis);
      }
      list.push_back(entry);
    }
    out << write_json(
        {{"taps", list},
         {"state", {{"written", model.written()}, {"inputs", model.written_inputs()}}}},
        "taps");
    return 0;
  }
  std::size_t name_width = 4;
  std::size_t type_width = 4;
  for (const TapReading& reading : readings) {
    name_width = std::max(name_width, reading.point.name.size());
    type_width = std::max(type_width, reading.point.type.size());
  }
  out << fmt::format("{:<{}}  {:<8}  {:<{}}", "name", name_width, "kind", "type", type_width)
      << (ran ? "  shape\n" : "\n");
  for (const TapReading& reading : readings) {
    std::string line = fmt::format("{:<{}}  {:<8}  {:<{}}", reading.point.name, name_width,
                                   reading.point.kind, reading.point.type, type_width);
    if (ran) {
      line +=
          reading.fired == 0
              ? "  did not fire"
              : fmt::format("  {} {}{}", reading.shape, reading.dtype,
                            reading.fired > 1 ? fmt::format("  ({} times)", reading.fired) : "");
      // A shape of three dimensions may mean either.
      if (reading.sizes.size() == 3 && reading.axis == "channels") line += "  (axis channels)";
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out << line << '\n';
  }
  if (readings.empty()) out << "no points: the model has no tensor among its values\n";
  if (const std::int64_t forks = count_forks(model); forks > 0) {
    out << fmt::format("{} by torch.jit.fork: what runs there has no points\n",
                       forks == 1 ? "a call" : fmt::format("{} calls", forks));
  }
  if (!model.written().empty())
    out << "state: forward writes " << quoted_list(model.written()) << '\n';
  return 0;
}

}  // namespace descramble
