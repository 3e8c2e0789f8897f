#include "experiment/run.h"

#include <algorithm>
#include <map>

#include <ATen/core/grad_mode.h>
#include <ATen/core/ivalue.h>
#include <fmt/format.h>

#include "descramble/analysis/export_checked.h"
#include "descramble/analysis/insertion.h"
#include "descramble/core/error.h"
#include "descramble/core/interrupt.h"
#include "descramble/core/safetensors.h"
#include "descramble/model/snapshot.h"
#include "descramble/taps/point.h"
#include "descramble/taps/select.h"
#include "experiment/fields.h"
#include "experiment/step.h"
#include "experiment/workspace.h"
#include "results/result_folder.h"
#include "results/tap_json.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

json side_json(const RotationSide& side) {
  json entry = {{"tap", side.tap}, {"side", side.side}};
  if (side.module.empty()) {
    entry["kept_explicit"] = side.buffer;
    entry["why"] = side.why;
  } else {
    entry["module"] = side.module;
  }
  return entry;
}

std::string side_line(const RotationSide& side) {
  const std::string matrix = side.side == "left" ? "P" : "Pt";
  if (!side.module.empty())
    return fmt::format("{} folded into '{}' ({})", matrix, side.module,
                       side.side == "left" ? "W' = P W" : "W' = W Pt");
  return fmt::format("{} kept explicit ({})", matrix, side.why);
}

/// What the model's forward writes, and what the steps do about it.
struct Stateful {
  explicit Stateful(const Model& model) {
    const bool carries = model.state_policy() == StatePolicy::carry;
    const std::vector<std::string>& written = model.written();
    json["policy"] = carries ? "carry" : "reset";
    json["written"] = written;
    json["inputs"] = model.written_inputs();
    if (written.empty()) return;
    constexpr std::size_t shown = 5;
    std::vector<std::string> first(written.begin(),
                                   written.begin() + std::min(shown, written.size()));
    lines.push_back(fmt::format(
        "{:<18}forward writes {}{}: each batch starts from {}", "state", quoted_list(first),
        written.size() > shown ? fmt::format(" and {} more", written.size() - shown) : "",
        carries ? "what the one before has left (carry)" : "what the archive holds (reset)"));
  }

  nlohmann::json json{};
  std::vector<std::string> lines{};
};

/// The weights beside a tap, before and after the rotation.
void add_side_tensors(const std::string& prefix, const RotationSide& side, NamedTensors& tensors) {
  if (side.module.empty()) return;
  const std::string own = prefix + side.tap;
  const bool taken = tensors.contains(own + ".weight");
  const std::string base = taken ? own + ".right" : own;
  tensors[base + ".weight"] = side.weight;
  tensors[base + ".weight_descrambled"] = side.weight_descrambled;
}

/// The table of a step with the number of the step in front of its rows.
Table of_step(const Table& table, std::size_t step) {
  Table result = table;
  result.columns.insert(result.columns.begin(), "step");
  for (std::vector<Table::Cell>& row : result.rows)
    row.insert(row.begin(), static_cast<std::int64_t>(step));
  return result;
}

/// The one step that rotates each tap. Checks all steps against the model before the first step
/// runs. @throws Error
std::map<std::string, std::size_t> check_against(const Workspace& workspace, const json& steps) {
  const Model& model = workspace.model;
  std::map<std::string, std::size_t> step_of_tap;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const StepKind& kind = step_kind(steps[i].at("kind"));
    in_step(steps, i, [&] {
      for (const char* place : {"/tap", "/taps"}) {
        const json::json_pointer pointer(place);
        const json named = steps[i].contains(pointer) ? steps[i].at(pointer) : json();
        if (named.is_string()) select_taps(model, {named.get<std::string>()});
        if (named.is_array()) select_taps(model, named.get<std::vector<std::string>>());
      }
      if (steps[i].contains("rows")) found_rows(rows_in(steps[i]), workspace);
      if (kind.check_model != nullptr) kind.check_model(steps[i], model);
      if (kind.rotates == nullptr) return;
      for (const std::string& tap : kind.rotates(steps[i], model)) {
        if (step_of_tap.emplace(tap, i).second) continue;
        throw Error({"tap '" + tap + "' is rotated twice", "", "each tap in one step",
                     fmt::format("it in /steps/{} too", step_of_tap[tap])});
      }
    });
  }
  return step_of_tap;
}

/// Steps with a selection of rows need values that have rows. One pass of the check samples checks
/// this before the first step runs. @throws Error
void check_values(const Workspace& workspace, const json& steps) {
  const Model model = workspace.check_model();
  const auto has_rows = [](const json& step) {
    const bool named =
        !step.value("tap", json()).is_null() || !step.value("taps", json()).is_null();
    return named && step.contains("rows");
  };
  if (!model.batched() || std::none_of(steps.begin(), steps.end(), has_rows)) return;
  const at::NoGradGuard no_grad;
  const StateScope untouched(model);
  const std::vector<TapReading> readings =
      read_taps(model, model.arguments(workspace.check.first_batch()));
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!has_rows(steps[i])) continue;
    const std::vector<std::string> taps = step_taps(steps[i], model);
    for (const TapReading& reading : readings) {
      const bool wanted = std::find(taps.begin(), taps.end(), reading.point.name) != taps.end();
      const bool floats = reading.dtype.starts_with("float") || reading.dtype.starts_with("bfloat");
      if (!wanted || reading.fired == 0 || (floats && !reading.sizes.empty())) continue;
      in_step(steps, i, [&] {
        throw Error({"the value has no rows", "tap '" + reading.point.name + "'",
                     "a floating-point tensor with at least one dimension",
                     reading.shape + " " + reading.dtype});
      });
    }
  }
}

/// The results of all steps of a run.
struct Gathered {
  json steps = json::array();
  NamedTensors tensors{};
  std::vector<RotationEdit> edits{};
  std::vector<double> floors{};  ///< of the certificate of each step; 0 without one
};

void tell(Progress& progress, const std::string& heading, double seconds,
          const std::vector<std::string>& lines) {
  for (std::size_t line = 0; line < lines.size(); ++line) {
    progress.say(fmt::format("{:<17} {}{}", line == 0 ? heading : "", lines[line],
                             line == 0 ? fmt::format("  [{:.1f} s]", seconds) : ""));
  }
}

/// A rotation that goes into the exported model is one that the step's kind announces and that
/// `verify` finds in the result. @throws Error where the kind has forgotten that
void require_certified(const StepResult& result, const StepKind& kind) {
  for (const RotationEdit& edit : result.edits) {
    const bool certified = result.json.contains("certificate") && result.json.contains("taps") &&
                           result.tensors.contains(edit.tap + ".rotation");
    if (certified && kind.rotates != nullptr) continue;
    throw Error({"a rotation without its certificate", "tap '" + edit.tap + "'",
                 "'rotates' in the step's kind; 'certificate', 'taps' and the tensor '" + edit.tap +
                     ".rotation' in what the step returns",
                 certified ? "no 'rotates'" : "not all of them"});
  }
}

/// Runs every step and takes in what it leaves behind; later steps see the rotations of earlier
/// ones.
Gathered run_steps(const json& steps, Opened& opened, ResultFolder& folder, Stopwatch& stopwatch,
                   Progress& progress) {
  Workspace& workspace = opened.workspace;
  workspace.steps = steps;
  Gathered all;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string kind = steps[i].at("kind");
    StepResult result = in_step(steps, i, [&] {
      const StateScope untouched(workspace.model);
      StepResult found = step_kind(kind).run(steps[i], workspace, progress);
      require_certified(found, step_kind(kind));
      return found;
    });
    check_interrupt();  // a solver that was stopped returns what it has
    const double seconds = stopwatch.lap(fmt::format("steps.{}.{}", i, kind));
    tell(progress, fmt::format("[{}/{}] {}", i + 1, steps.size(), kind), seconds, result.lines);
    json entry = {{"kind", kind}};
    entry.update(result.json);
    all.steps.push_back(std::move(entry));
    all.floors.push_back(result.floor);
    for (InputFile& input : result.inputs) {
      input.role = fmt::format("steps.{} {}", i, input.role);
      opened.inputs.push_back(std::move(input));
    }
    for (auto& [name, tensor] : result.tensors)
      all.tensors[fmt::format("steps.{}.{}", i, name)] = tensor;
    for (const Table& table : result.tables) folder.add_table(of_step(table, i));
    for (const NamedFigure& figure : result.figures)
      folder.add_figure(fmt::format("steps.{}.{}", i, figure.name), figure.figure);
    for (RotationEdit& edit : result.edits) {
      workspace.rotations[{static_cast<std::int64_t>(i), edit.tap}] = edit.rotation;
      all.edits.push_back(std::move(edit));
    }
  }
  return all;
}

/// Exports the model with all rotations and compares every certificate with its limit. Returns the
/// differences of the other methods, for result.json.
json export_rotations(const Workspace& workspace, const fs::path& file,
                      const std::map<std::string, std::size_t>& step_of_tap, Gathered& all,
                      Progress& progress) {
  for (std::size_t i = 0; i < all.steps.size(); ++i) {
    if (!all.steps[i].contains("certificate")) continue;
    json& certificate = all.steps[i]["certificate"];
    const double allowed = allowed_by(workspace, all.floors[i]);
    certificate["allowed"] = allowed;
    require_certificate(certificate["inserted"], allowed,
                        fmt::format("/steps/{}, pair inserted", i));
    all.steps[i]["folded"] = json::array();
  }
  const CheckedExport exported = export_checked(
      workspace, all.edits, file, *std::max_element(all.floors.begin(), all.floors.end()));
  for (json& step : all.steps) {
    if (step.contains("certificate")) step["certificate"]["exported"] = exported.difference;
  }
  for (const RotationSide& side : exported.sides) {
    const std::size_t step = step_of_tap.at(side.tap);
    all.steps[step]["folded"].push_back(side_json(side));
    add_side_tensors(fmt::format("steps.{}.", step), side, all.tensors);
    progress.say(fmt::format("{:<18}{}: {}", side.side == "left" ? "exported" : "", side.tap,
                             side_line(side)));
  }
  progress.say(fmt::format("{:<18}function changed by {:.1e} (model.pt, loaded again)", "",
                           exported.difference));
  json methods = json::object();
  for (const auto& [method, difference] : exported.methods) {
    methods[method] = difference ? json(*difference) : json();
    progress.say(
        difference
            ? fmt::format("{:<18}method '{}' changed by {:.1e}", "", method, *difference)
            : fmt::format("{:<18}method '{}' was not run: it does not take the data", "", method));
  }
  return methods;
}

}  // namespace

void run_experiment(const Config& config, const fs::path& out, bool force, Progress& progress) {
  if (config.is_training()) {
    throw Error(
        {"a training config", config.file.string(), "'steps' (use: descramble train)", "'train'"});
  }
  ResultFolder folder(out, force);
  Stopwatch stopwatch;
  const ThreadScope scope(config.resolved.at("threads"));
  const int threads = scope.count();
  progress.say(heading(config, threads));
  Opened opened = open_workspace(config);
  Workspace& workspace = opened.workspace;
  stopwatch.lap("open");

  const json& steps = config.resolved.at("steps");
  const std::map<std::string, std::size_t> step_of_tap = check_against(workspace, steps);
  check_values(workspace, steps);
  if (!step_of_tap.empty()) {
    in_step(steps, step_of_tap.begin()->second, [&] {
      require_repeatable(workspace.check, workspace.model);
      require_exportable(workspace.model);
    });
  }
  for (const std::string& warning : workspace.train.data->warnings()) folder.add_warning(warning);
  if (workspace.separate_test)
    for (const std::string& warning : workspace.test.data->warnings()) folder.add_warning(warning);
  for (const std::string& warning : workspace.check.warnings) folder.add_warning(warning);
  const Stateful stateful(workspace.model);
  for (const std::string& line : stateful.lines) progress.say(line);
  Gathered all = run_steps(steps, opened, folder, stopwatch, progress);
  json methods = json::object();
  if (!all.edits.empty()) {
    methods = export_rotations(workspace, folder.file("model.pt"), step_of_tap, all, progress);
    stopwatch.lap("export");
  }
  add_check_tensors(workspace.check, all.tensors);
  json result = result_json(config, opened, threads, std::move(all.steps));
  result["state"] = stateful.json;
  if (!all.edits.empty()) result["methods"] = methods;
  result["check"] = check_json(workspace.check);
  stopwatch.lap("hash inputs");
  for (const std::string& warning : folder.warnings())
    progress.say(fmt::format("{:<18}{}", "warning", warning));
  folder.finish(std::move(result), all.tensors, stopwatch.json_value());
  progress.say(fmt::format("{:<18}{}", "result", out.string()));
}

}  // namespace descramble
