#include "descramble/results/probe_sinks.h"

#include <fmt/format.h>

#include "results/line_file.h"
#include "results/probe_report.h"
#include "results/table.h"

namespace descramble {

namespace {

Table numbers_of(const ProbeRecord& record) {
  Table table{.name = "probes",
              .columns = {"probe", "step", "epoch", "tap", "measure", "figure", "value"}};
  const auto add = [&](const std::string& figure, const Table::Cell& value) {
    table.rows.push_back({static_cast<std::int64_t>(record.probe), record.step, record.epoch,
                          record.tap, record.measure, figure, value});
  };
  for (const auto& [key, value] : record.numbers)
    add(key, value ? Table::Cell(*value) : Table::Cell(std::string()));
  for (const auto& [key, values] : record.lists) {
    for (std::size_t i = 0; i < values.size(); ++i) add(fmt::format("{}.{}", key, i), values[i]);
  }
  return table;
}

}  // namespace

ProbeSink json_lines_sink(const std::filesystem::path& file, IfExists existing) {
  const auto lines = std::make_shared<LineFile>(file, existing);
  return [lines](const ProbeRecord& record) { lines->write(probe_json(record).dump() + "\n"); };
}

ProbeSink csv_sink(const std::filesystem::path& file, IfExists existing) {
  const auto lines = std::make_shared<LineFile>(file, existing);
  return [lines](const ProbeRecord& record) {
    const std::string text = to_csv(numbers_of(record));
    lines->write(lines->is_empty() ? text : text.substr(text.find('\n') + 1));
  };
}

}  // namespace descramble
