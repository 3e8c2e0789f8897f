#include "experiment/initial_trial.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <variant>

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "descramble/core/error.h"
#include "descramble/data/kinds.h"
#include "descramble/model/kinds.h"
#include "experiment/config.h"
#include "experiment/run.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::int64_t samples_tried = 8;

/// A folder for steps that are tried; it is removed at the end.
class TrialFolder {
 public:
  TrialFolder() : path_((fs::temp_directory_path() / "descramble-init-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr)
      throw Failure({"no temporary folder", path_, "a place to try steps", "none"});
  }
  ~TrialFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TrialFolder(const TrialFolder&) = delete;
  TrialFolder& operator=(const TrialFolder&) = delete;
  fs::path result() const { return fs::path(path_) / "out"; }

 private:
  std::string path_;
};

/// Both sources of "data", or the one.
void for_each_source(json& data, const std::function<void(json& source)>& visit) {
  if (data.contains("kind")) return visit(data);
  for (json& source : data) visit(source);
}

/// The same config for only a few samples.
json for_trial(json config) {
  for_each_source(config["data"], [](json& source) {
    const json batch = source.value("batch_size", json(samples_tried));
    source["limit"] =
        batch.is_number() ? std::max<std::int64_t>(samples_tried, batch) : samples_tried;
  });
  return config;
}

}  // namespace

std::optional<c10::IValue> returned_for(const json& config) {
  const json resolved = resolve_config(for_trial(config), fs::path("init.json")).resolved;
  const Model model = open_model(resolved.at("model"), {.device = resolved.at("device")}).model;
  const json& data = resolved.at("data");
  const Source source = open_source(data.contains("kind") ? data : data.at("train"), {});
  const at::NoGradGuard no_grad;
  for (const std::int64_t count : {samples_tried, std::int64_t{1}}) {
    try {
      const Batch batch = source.data->slice(0, std::min(count, source.data->size()));
      return model.forward_values(model.arguments(batch.inputs));
    } catch (const Error&) {
      // It may take batches of one, or of some other size.
    }
  }
  return std::nullopt;
}

namespace {

/// The config, opened; the complaint where the model does not take the data.
std::variant<Opened, Error> opened_or_refusal(const json& config) {
  try {
    return open_workspace(resolve_config(for_trial(config), fs::path("init.json")));
  } catch (const Error& error) {
    return error;
  }
}

/// Tensors with other names than the arguments are tried in every order.
std::optional<Opened> fit_order(json& config, std::vector<std::string>& notes) {
  constexpr std::size_t most = 4;
  if (config["data"].value("kind", "") != "safetensors") return std::nullopt;
  auto names = config["data"]["inputs"].get<std::vector<std::string>>();
  if (names.size() < 2 || names.size() > most) return std::nullopt;
  json changed = config;
  std::sort(names.begin(), names.end());
  do {
    changed["data"]["inputs"] = names;
    auto tried = opened_or_refusal(changed);
    if (!std::holds_alternative<Opened>(tried)) continue;
    notes.push_back("the order of the inputs is one that the model takes: " + quoted_list(names));
    config = std::move(changed);
    return std::get<Opened>(std::move(tried));
  } while (std::next_permutation(names.begin(), names.end()));
  return std::nullopt;
}

json with_batches(json config, const json& batch, bool batched) {
  for_each_source(config["data"], [&](json& source) {
    source.erase("batch_size");
    if (batch != 256) source["batch_size"] = batch;
  });
  if (!batched) config["model"]["batched"] = false;
  return config;
}

}  // namespace

Opened fit_to_data(json& config, std::vector<std::string>& notes) {
  auto first = opened_or_refusal(config);
  if (std::holds_alternative<Opened>(first)) return std::get<Opened>(std::move(first));
  if (std::optional<Opened> opened = fit_order(config, notes)) return *std::move(opened);
  for (const std::int64_t batch : {1, 2, 4, 8, 16, 32, 64}) {
    json changed = with_batches(config, batch, true);
    auto tried = opened_or_refusal(changed);
    if (!std::holds_alternative<Opened>(tried)) continue;
    notes.push_back(fmt::format("the model takes batches of {}: batch_size is that", batch));
    config = std::move(changed);
    return std::get<Opened>(std::move(tried));
  }
  json changed = with_batches(config, nullptr, false);
  auto tried = opened_or_refusal(changed);
  if (!std::holds_alternative<Opened>(tried)) throw std::get<Error>(first);
  notes.emplace_back("the model takes one sample without a batch in front: \"batched\": false");
  config = std::move(changed);
  return std::get<Opened>(std::move(tried));
}

void try_steps(json& config, std::vector<std::string>& notes) {
  json kept = json::array();
  for (const json& step : config["steps"]) {
    json one = for_trial(config);
    one["steps"] = json::array({step});
    const std::string kind = step.at("kind");
    const TrialFolder folder;
    Progress silent;
    const auto leave_out = [&](const std::string& why) {
      notes.push_back(fmt::format("the step '{}' is left out: {}", kind, why));
    };
    try {
      run_experiment(resolve_config(one, fs::path("init.json")), folder.result(), false, silent);
      kept.push_back(step);
    } catch (const Error& error) {
      leave_out(error.what());
    } catch (const Failure& failure) {
      leave_out(failure.what());
    }
  }
  if (kept.empty()) {
    throw Error({"no step runs on this model", config["model"]["path"], "at least one",
                 notes.empty() ? "none" : notes.back()});
  }
  config["steps"] = std::move(kept);
}

}  // namespace descramble
