#include "experiment/workspace.h"

#include <cstdlib>
#include <thread>

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include "descramble/core/files.h"
#include "descramble/core/json.h"
#include "descramble/core/version.h"
#include "descramble/model/arguments.h"
#include "descramble/model/kinds.h"
#include "descramble/taps/point.h"
#include "experiment/step_memory.h"

namespace descramble {

namespace fs = std::filesystem;
using nlohmann::json;

ThreadScope::ThreadScope(std::int64_t threads)
    : before_(at::get_num_threads()),
      count_(threads > 0 ? static_cast<int>(threads)
                         : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()))) {
  // Read by the maths libraries when their first parallel region starts.
  ::setenv("OMP_DYNAMIC", "FALSE", 0);
  ::setenv("MKL_DYNAMIC", "FALSE", 0);
  at::set_num_threads(count_);
}

ThreadScope::~ThreadScope() {
  at::set_num_threads(before_);
}

namespace {

/// A model may refuse samples with a batch but take one sample without a batch. The Error then says
/// how to set this in the config. @throws Error if the model is like this
void require_batch(const Model& model, const Source& source, const json& arguments,
                   const std::vector<std::string>& names, const Error& refusal) {
  if (!model.batched()) return;
  Source alone = source;
  alone.batch_size = 1;
  try {
    open_check_samples(with_arguments(model.with_policy(StatePolicy::reset), arguments, names, 0,
                                      /*batched=*/false, "/model/arguments"),
                       alone);
  } catch (const Error&) {
    return;
  }
  Complaint complaint = refusal.complaint();
  complaint.what = "the model takes no batches";
  complaint.expected =
      "\"batched\": false in the model and \"batch_size\": null in the data, since it takes one "
      "sample without a batch dimension";
  throw Error(complaint);
}

/// "A model that another config trains": NAME_train.json makes ../runs/NAME/model.pt by convention.
std::string training_command(const Config& config, const std::string& path) {
  const fs::path folder = config.file.has_parent_path() ? config.file.parent_path() : fs::path(".");
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string stem = entry.path().stem().string();
    constexpr std::string_view ending = "_train";
    if (entry.path().extension() != ".json" || !stem.ends_with(ending)) continue;
    const std::string name = stem.substr(0, stem.size() - ending.size());
    if (fs::path(path).parent_path().filename() != name) continue;
    const fs::path out = (folder / path).lexically_normal().parent_path();
    return fmt::format("descramble train {} --out {}", entry.path().string(), out.string());
  }
  return "";
}

/// Inputs that steps name as masks: the model itself need not take them.
std::vector<std::string> named_masks(const json& resolved) {
  std::vector<std::string> names;
  for (const json& step : resolved.value("steps", json::array())) {
    const json rows = step.value("rows", json());
    if (rows.is_object() && rows.at("mask").is_string()) names.push_back(rows.at("mask"));
  }
  return names;
}

std::vector<InputFile> data_files(const Source& source, const std::string& split) {
  std::vector<InputFile> files = source.data->files();
  for (InputFile& file : files) file.role = split + " " + file.role;
  return files;
}

/// If another config beside this one trains the missing model, names the command that does it.
void require_model_file(const Config& config) {
  const json& model = config.resolved.at("model");
  if (model.at("kind") != "torchscript") return;
  try {
    config.paths().find(model.at("path"), "/model/path");
  } catch (const Error& error) {
    const std::string command = training_command(config, model.at("path"));
    if (command.empty()) throw;
    Complaint complaint = error.complaint();
    complaint.found = "none; make it with: " + command;
    throw Error(complaint);
  }
}

OpenedModel opened_model(const Config& config) {
  const json& resolved = config.resolved;
  require_model_file(config);
  OpenedModel opened = open_model(resolved.at("model"),
                                  {resolved.at("seed"), resolved.at("device"), config.paths()});
  if (resolved.at("dtype").is_string())
    opened.model = opened.model.to_dtype(parse_dtype(resolved.at("dtype")));
  if (opened.model.device().is_cuda()) {
    // Certificates compare single-precision results: no rounding of the factors to ten bits.
    at::globalContext().setAllowTF32CuBLAS(false);
    at::globalContext().setAllowTF32CuDNN(false);
  }
  return opened;
}

/// "data" of a config.
struct OpenedData {
  Source train{};
  std::optional<Source> test{};  ///< absent: train serves for both
  std::vector<InputFile> files{};
};

OpenedData opened_data(const Config& config) {
  const json& data = config.resolved.at("data");
  OpenedData result;
  const auto open = [&](const json& source, const std::string& split, const std::string& pointer,
                        const std::string& role) {
    Source opened = open_source(source, {config.resolved.at("seed"), config.paths(), split, pointer,
                                         config.resolved.at("memory_mb")});
    if (opened.data->size() == 0)
      throw Error({"the data set is empty", pointer, "at least one sample", "none"});
    for (InputFile& file : data_files(opened, role)) result.files.push_back(file);
    return opened;
  };
  if (data.contains("kind")) {
    result.train = open(data, "train", "/data", "data");
  } else {
    result.train = open(data.at("train"), "train", "/data/train", "train");
    result.test = open(data.at("test"), "test", "/data/test", "test");
  }
  return result;
}

}  // namespace

Opened open_workspace(const Config& config) {
  const json& resolved = config.resolved;
  const OpenedModel opened = opened_model(config);
  std::vector<InputFile> inputs;
  if (!opened.path.empty()) inputs.push_back({"model", opened.given, opened.path});
  const OpenedData data = opened_data(config);
  inputs.insert(inputs.end(), data.files.begin(), data.files.end());
  const Source& test = data.test ? *data.test : data.train;
  const json& named = resolved.at("model");
  const json arguments = named.value("arguments", json::object());
  const std::vector<std::string> names = input_names(test);
  const Model model =
      with_arguments(opened.model, arguments, names, named.value("batch_dim", 0),
                     named.value("batched", true), "/model/arguments", named_masks(resolved));
  for (InputFile& input : inputs) input.sha256 = sha256_of_path(input.path);
  const json tolerance = named.value("tolerance", json());
  const SubjectOptions options{.seed = resolved.at("seed"),
                               .memory_mb = resolved.at("memory_mb"),
                               .tolerance = tolerance.is_number() ? tolerance.get<double>() : 0.0,
                               .converted = resolved.at("dtype").is_string(),
                               .batch_dim = named.value("batch_dim", 0)};
  try {
    return {{open_subject(model, data.train, data.test, options),
             config.paths(),
             {},
             {},
             std::make_shared<StepMemory>()},
            std::move(inputs)};
  } catch (const Error& error) {
    require_batch(model, test, arguments, names, error);
    throw;
  }
}

namespace {

/// {descramble, libtorch, device, threads} for result.json.
json environment_json(const Config& config, int threads) {
  return {{"descramble", version()},
          {"libtorch", libtorch_version()},
          {"device", config.resolved.at("device")},
          {"threads", threads}};
}

/// [{role, path, sha256}] for result.json.
json inputs_json(const std::vector<InputFile>& inputs) {
  json result = json::array();
  for (const InputFile& input : inputs) {
    result.push_back(
        {{"role", input.role},
         {"path", input.given},
         {"sha256", input.sha256.empty() ? sha256_of_path(input.path) : input.sha256}});
  }
  return result;
}

/// Every point of the network, for a map of it.
json network_json(const Model& model) {
  json points = json::array();
  for (const TapPoint& point : list_taps(model)) {
    points.push_back(
        {{"name", point.name}, {"kind", point.kind}, {"type", point.type}, {"from", point.from}});
  }
  return points;
}

}  // namespace

json result_json(const Config& config, const Opened& opened, int threads, json steps) {
  return {{"schema_version", 1},
          {"name", config.resolved.at("name")},
          {"config", config.resolved},
          {"environment", environment_json(config, threads)},
          {"inputs", inputs_json(opened.inputs)},
          {"network", network_json(opened.workspace.model)},
          {"steps", std::move(steps)}};
}

std::string heading(const Config& config, int threads) {
  return fmt::format("{}: LibTorch {}, {}, {} thread{}",
                     config.resolved.at("name").get<std::string>(), libtorch_version(),
                     config.resolved.at("device").get<std::string>(), threads,
                     threads == 1 ? "" : "s");
}

}  // namespace descramble
