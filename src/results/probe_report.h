#pragma once

#include <vector>

#include <nlohmann/json.hpp>

#include "descramble/training/probes.h"
#include "results/table.h"

namespace descramble {

/// {probe, step, epoch, tap, measure, …}: a line of probes.jsonl.
nlohmann::json probe_json(const ProbeRecord& record);

/// One figure for each measure that has a finite value: `probe_<measure>`.
std::vector<NamedFigure> probe_figures(const std::vector<ProbeRecord>& records);

}  // namespace descramble
