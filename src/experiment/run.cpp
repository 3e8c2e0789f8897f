#include "experiment/run.h"

#include <chrono>
#include <cmath>

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <sys/resource.h>

#include "descramble/core/files.h"
#include "descramble/core/interrupt.h"
#include "descramble/core/json.h"
#include "descramble/core/safetensors.h"
#include "descramble/core/version.h"
#include "descramble/experiment/certificate.h"
#include "descramble/experiment/train.h"
#include "experiment/workspace.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

bool is_result_file(const fs::path& file) {
  try {
    const json document = read_json(file);
    return document.is_object() && document.contains("schema_version") &&
           document.contains("environment") && document["environment"].is_object() &&
           document["environment"].contains("descramble");
  } catch (const Error&) {
    return false;
  }
}

namespace {

/// Wall seconds and peak memory of each part of a run.
class Stopwatch {
 public:
  double lap(const std::string& what) {
    const auto now = std::chrono::steady_clock::now();
    const double seconds = std::chrono::duration<double>(now - last_).count();
    last_ = now;
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    laps_.push_back({{"what", what},
                     {"seconds", seconds},
                     {"peak_memory_mb", static_cast<double>(usage.ru_maxrss) / 1024.0}});
    return seconds;
  }
  json json_value() const { return {{"schema_version", 1}, {"laps", laps_}}; }

 private:
  std::chrono::steady_clock::time_point last_ = std::chrono::steady_clock::now();
  json laps_ = json::array();
};

/// A result folder under construction.
class ResultFolder {
 public:
  ResultFolder(const fs::path& out, bool force)
      : folder_(out, {.force = force, .is_ours = is_result_file}) {}

  fs::path file(const std::string& name) const { return folder_.path() / name; }

  /// Writes everything and puts the folder in place. Hashes of the other files go into result.json,
  /// so that one changed byte is noticed.
  void finish(json result, const NamedTensors& tensors, const json& timings) {
    save_safetensors(file("tensors.safetensors"), tensors);
    result["files"] = json::array();
    for (const char* name : {"model.pt", "tensors.safetensors"}) {
      if (fs::exists(file(name)))
        result["files"].push_back({{"path", name}, {"sha256", sha256_of_path(file(name))}});
    }
    write_file(file("result.json"), write_json(result, "result.json"));
    write_file(file("timings.json"), write_json(timings, "timings.json"));
    check_interrupt();
    folder_.commit();
  }

 private:
  AtomicFolder folder_;
};

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

void add_check_tensors(const Workspace& workspace, NamedTensors& tensors) {
  for (std::size_t i = 0; i < workspace.check.inputs.size(); ++i) {
    tensors[i == 0 ? "check.inputs" : fmt::format("check.inputs.{}", i)] =
        workspace.check.inputs[i];
  }
  tensors["check.outputs"] = workspace.check_output;
}

struct Exported {
  double difference = 0;
  std::vector<RotationSide> sides{};
};

/// Exports the model with all pairs, loads the file again, and compares.
Exported export_checked(const Workspace& workspace, const std::vector<RotationEdit>& edits,
                        const fs::path& file) {
  ExportedModel exported = export_model(workspace.model, edits);
  exported.model.save(file);
  const Model loaded =
      load_model(file, workspace.model.device().str()).with_output(workspace.model.output_key());
  const at::NoGradGuard no_grad;
  const double difference =
      relative_difference(loaded.forward(workspace.check.inputs), workspace.check_output);
  return {difference, std::move(exported.sides)};
}

void require_certificate(double measured, at::ScalarType dtype, const std::string& what) {
  const double allowed = allowed_difference(dtype);
  if (!(measured <= allowed)) {
    throw Failure({"the certificate does not hold", what,
                   fmt::format("max|f - f'| / max|f| <= {:.0e}", allowed),
                   fmt::format("{:.3e}", measured)});
  }
}

std::string heading(const Config& config, int threads) {
  return fmt::format("{}: LibTorch {}, {}, {} thread{}",
                     config.resolved.at("name").get<std::string>(), libtorch_version(),
                     config.resolved.at("device").get<std::string>(), threads,
                     threads == 1 ? "" : "s");
}

/// The content of result.json but for the hashes of the other files.
json result_json(const Config& config, const Opened& opened, int threads, json steps) {
  return {{"schema_version", 1},
          {"name", config.resolved.at("name")},
          {"config", config.resolved},
          {"environment", environment_json(config, threads)},
          {"inputs", inputs_json(opened.inputs)},
          {"steps", std::move(steps)}};
}

/// The weights beside a tap, as they were and as they are.
void add_side_tensors(const std::string& prefix, const RotationSide& side, NamedTensors& tensors) {
  if (side.module.empty()) return;
  const std::string own = prefix + side.tap;
  const bool taken = tensors.contains(own + ".weight");
  const std::string base = taken ? own + ".right" : own;
  tensors[base + ".weight"] = side.weight;
  tensors[base + ".weight_descrambled"] = side.weight_descrambled;
}

}  // namespace

void run_experiment(const Config& config, const fs::path& out, bool force, Progress& progress) {
  if (config.is_training()) {
    throw Error(
        {"a training config", config.file.string(), "'steps' (use: descramble train)", "'train'"});
  }
  ResultFolder folder(out, force);
  Stopwatch watch;
  const int threads = apply_threads(config.resolved.at("threads"));
  progress.say(heading(config, threads));
  Opened opened = open_workspace(config);
  const Workspace& workspace = opened.workspace;
  watch.lap("open");

  const json& steps = config.resolved.at("steps");
  // A wrong tap in the last step is said before the first one runs.
  const auto in_step = [&steps](std::size_t i, const Error& error) {
    Complaint complaint = error.complaint();
    complaint.where = fmt::format("/steps/{} ({}){}{}", i, steps[i].at("kind").get<std::string>(),
                                  complaint.where.empty() ? "" : ", ", complaint.where);
    return Error(complaint);
  };
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (!steps[i].contains("tap") && !steps[i].contains("taps")) continue;
    try {
      step_taps(steps[i], workspace.model);
    } catch (const Error& error) {
      throw in_step(i, error);
    }
  }
  json results = json::array();
  NamedTensors tensors;
  std::vector<RotationEdit> edits;
  std::map<std::string, std::size_t> step_of_tap;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const std::string kind = steps[i].at("kind");
    StepResult result;
    for (const StepKind& candidate : step_kinds()) {
      if (candidate.info.name != kind) continue;
      try {
        result = candidate.run(steps[i], workspace, progress);
      } catch (const Error& error) {
        throw in_step(i, error);
      }
    }
    const double seconds = watch.lap(fmt::format("steps.{}.{}", i, kind));
    for (std::size_t line = 0; line < result.lines.size(); ++line) {
      progress.say(fmt::format(
          "{:<18}{}{}", line == 0 ? fmt::format("[{}/{}] {}", i + 1, steps.size(), kind) : "",
          result.lines[line], line == 0 ? fmt::format("  [{:.1f} s]", seconds) : ""));
    }
    json entry = {{"kind", kind}};
    entry.update(result.json);
    results.push_back(std::move(entry));
    for (InputFile& input : result.inputs) {
      input.role = fmt::format("steps.{} {}", i, input.role);
      opened.inputs.push_back(std::move(input));
    }
    for (auto& [name, tensor] : result.tensors)
      tensors[fmt::format("steps.{}.{}", i, name)] = tensor;
    for (RotationEdit& edit : result.edits) {
      if (!step_of_tap.emplace(edit.tap, i).second) {
        throw Error({"tap '" + edit.tap + "' is rotated twice", fmt::format("/steps/{}", i),
                     "each tap in one step",
                     fmt::format("it in /steps/{} too", step_of_tap[edit.tap])});
      }
      edits.push_back(std::move(edit));
    }
  }

  if (!edits.empty()) {
    const Exported exported = export_checked(workspace, edits, folder.file("model.pt"));
    for (std::size_t i = 0; i < results.size(); ++i) {
      if (!results[i].contains("certificate")) continue;
      results[i]["certificate"]["exported"] = exported.difference;
      require_certificate(results[i]["certificate"]["inserted"], workspace.model.dtype(),
                          fmt::format("/steps/{}, pair inserted", i));
      results[i]["folded"] = json::array();
    }
    require_certificate(exported.difference, workspace.model.dtype(), "exported model");
    for (const RotationSide& side : exported.sides) {
      const std::size_t step = step_of_tap.at(side.tap);
      results[step]["folded"].push_back(side_json(side));
      add_side_tensors(fmt::format("steps.{}.", step), side, tensors);
      progress.say(fmt::format("{:<18}{}: {}", side.side == "left" ? "exported" : "", side.tap,
                               side_line(side)));
    }
    progress.say(fmt::format("{:<18}function changed by {:.1e} (model.pt, loaded again)", "",
                             exported.difference));
    watch.lap("export");
  }
  add_check_tensors(workspace, tensors);
  json result = result_json(config, opened, threads, std::move(results));
  watch.lap("hash inputs");
  folder.finish(std::move(result), tensors, watch.json_value());
  progress.say(fmt::format("{:<18}{}", "result", out.string()));
}

void run_training(const Config& config, const fs::path& out, bool force, Progress& progress) {
  if (!config.is_training()) {
    throw Error({"not a training config", config.file.string(), "'train' (use: descramble run)",
                 "'steps'"});
  }
  ResultFolder folder(out, force);
  Stopwatch watch;
  const int threads = apply_threads(config.resolved.at("threads"));
  progress.say(heading(config, threads));
  Opened opened = open_workspace(config);
  Workspace& workspace = opened.workspace;
  watch.lap("open");
  const std::vector<Epoch> history =
      train_model(workspace.model, config.resolved.at("train"), workspace.train, workspace.test,
                  workspace.seed, progress);
  watch.lap("train");
  json epochs = json::array();
  for (const Epoch& epoch : history) {
    epochs.push_back({{"epoch", epoch.epoch},
                      {"lr", epoch.learning_rate},
                      {"train_loss", epoch.train_loss},
                      {"test_loss", epoch.test_loss},
                      {"test_top1", epoch.test_top1}});
  }
  workspace.model.save(folder.file("model.pt"));
  {
    const at::NoGradGuard no_grad;
    workspace.check_output = load_model(folder.file("model.pt"), workspace.model.device().str())
                                 .with_output(workspace.model.output_key())
                                 .forward(workspace.check.inputs);
  }
  NamedTensors tensors;
  add_check_tensors(workspace, tensors);
  json step = {{"kind", "train"},
               {"epochs", epochs},
               {"top1", history.back().test_top1},
               {"loss", history.back().test_loss},
               {"count", workspace.test.data->size()}};
  json result = result_json(config, opened, threads, json::array({std::move(step)}));
  folder.finish(std::move(result), tensors, watch.json_value());
  progress.say(fmt::format("result  {}", out.string()));
}

}  // namespace descramble
