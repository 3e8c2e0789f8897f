#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "descramble/experiment/train.h"
#include "experiment/result_folder.h"
#include "experiment/run.h"
#include "experiment/workspace.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

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
  for (const std::string& warning : folder.warnings()) progress.say("warning  " + warning);
  folder.finish(std::move(result), tensors, watch.json_value());
  progress.say(fmt::format("result  {}", out.string()));
}

}  // namespace descramble
