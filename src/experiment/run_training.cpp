#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "descramble/core/error.h"
#include "descramble/training/probes.h"
#include "descramble/training/train.h"
#include "experiment/fields.h"
#include "experiment/run.h"
#include "experiment/train_config.h"
#include "experiment/workspace.h"
#include "results/probe_report.h"
#include "results/result_folder.h"
#include "results/score_report.h"
#include "results/tap_json.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

json epoch_json(const Epoch& epoch) {
  const json score = score_json(epoch.test);
  return {{"epoch", epoch.epoch},
          {"lr", epoch.learning_rate},
          {"train_loss", epoch.train_loss},
          {"test_loss", score.at("loss")},
          {"test_top1", score.at("top1")}};
}

}  // namespace

void run_training(const Config& config, const fs::path& out, bool force, Progress& progress) {
  if (!config.is_training()) {
    throw Error({"not a training config", config.file.string(), "'train' (use: descramble run)",
                 "'steps'"});
  }
  ResultFolder folder(out, force);
  Stopwatch stopwatch;
  const ThreadScope scope(config.resolved.at("threads"));
  const int threads = scope.count();
  progress.say(heading(config, threads));
  Opened opened = open_workspace(config);
  Workspace& workspace = opened.workspace;
  workspace.model = workspace.model.with_policy(StatePolicy::live);
  stopwatch.lap("open");
  const json& settings = config.resolved.at("train");
  Probes probes(workspace.model, workspace.memory_mb);
  for (std::size_t i = 0; i < settings.at("probes").size(); ++i) {
    const json& probe = settings.at("probes")[i];
    probes.add(probe_options_in(probe), workspace.source(split_in(probe)),
               fmt::format("/train/probes/{}", i));
  }
  TrainingHooks hooks;
  if (!probes.empty()) {
    hooks.step = [&probes](std::int64_t step, std::int64_t epoch) { probes.at_step(step, epoch); };
    hooks.epoch = [&](std::int64_t) {
      for (const std::string& line : probes.new_lines()) progress.say("  probe  " + line);
    };
  }
  const std::vector<Epoch> history =
      train_model(workspace.model, train_options_in(settings, workspace.seed), workspace.train,
                  workspace.test, progress, hooks);
  probes.at_end();
  for (const std::string& line : probes.new_lines()) progress.say("  probe  " + line);
  if (!probes.empty()) progress.say("probes  " + cost_text(probes.cost()));
  stopwatch.lap("train");
  json epochs = json::array();
  for (const Epoch& epoch : history) epochs.push_back(epoch_json(epoch));
  workspace.model.save(folder.file("model.pt"));
  {
    const at::NoGradGuard no_grad;
    const Model trained =
        workspace.model.loaded_like(folder.file("model.pt")).with_state(StatePolicy::reset);
    workspace.check.output = run_in_batches(
        workspace.check.inputs, workspace.check.batch_size,
        [&trained](const std::vector<at::Tensor>& inputs) { return trained.forward(inputs); });
  }
  NamedTensors tensors = probes.tensors();
  add_check_tensors(workspace.check, tensors);
  std::vector<json> records;
  for (const ProbeRecord& record : probes.records()) records.push_back(probe_json(record));
  if (!probes.empty()) folder.add_lines("probes", records);
  for (const NamedFigure& figure : probe_figures(probes.records()))
    folder.add_figure(figure.name, figure.figure);
  json step = {{"kind", "train"}, {"epochs", epochs}};
  step.update(score_json(history.back().test));
  json result = result_json(config, opened, threads, json::array({std::move(step)}));
  result["check"] = check_json(workspace.check);
  for (const std::string& warning : folder.warnings()) progress.say("warning  " + warning);
  folder.finish(std::move(result), tensors, stopwatch.json_value());
  progress.say(fmt::format("result  {}", out.string()));
}

}  // namespace descramble
