#pragma once

#include <filesystem>

#include "descramble/training/probes.h"

namespace [[gnu::visibility("default")]] descramble {

/// What a sink does with a file that is there already.
enum class IfExists {
  refuse,  ///< it is an error, and the file stays as it is
  append   ///< lines go behind those of the file, as for a training that goes on from a checkpoint;
          ///< a last line without its end gets one
};

/// A line of JSON for each record, {"probe", "step", "epoch", "tap", "measure", …}, as in the
/// probes.jsonl of `descramble train`. Each line is handed to the system before the training goes
/// on. The sink, and each copy of it, keeps the file open.
///
///     pandas.read_json("probes.jsonl", lines=True)
///
/// @throws Error for a file that exists (`refuse`), or cannot be opened; the sink itself throws
/// Failure when a line cannot be written
ProbeSink json_lines_sink(const std::filesystem::path& file, IfExists existing = IfExists::refuse);

/// A line of CSV (RFC 4180) for each number: probe, step, epoch, tap, measure, figure, value. A
/// figure without a value is an empty cell; numbers of a list are `eigenvalues.0`, ….
/// @throws as json_lines_sink
ProbeSink csv_sink(const std::filesystem::path& file, IfExists existing = IfExists::refuse);

}  // namespace descramble
