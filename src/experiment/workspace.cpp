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

/// Names of the data's inputs; "input", "input_1", … where it has none.
std::vector<std::string> input_names(const Source& source) {
  std::vector<std::string> names = source.data->input_names();
  const std::size_t count = source.data->slice(0, 1).inputs.size();
  for (std::size_t i = names.size(); i < count; ++i)
    names.push_back(i == 0 ? "input" : fmt::format("input_{}", i));
  return names;
}

/// The check samples; where the model takes them in its own dtype only, the data follow it there.
void follow_dtype(Workspace& workspace, bool converted) {
  const at::ScalarType dtype = workspace.model.dtype();
  const auto follow = [&] {
    workspace.train = with_dtype(workspace.train, dtype);
    workspace.test = with_dtype(workspace.test, dtype);
  };
  if (converted || dtype == at::kDouble) follow();
  const Model model = workspace.check_model();
  try {
    workspace.check = open_check_samples(model, workspace.test);
  } catch (const Error&) {
    if (converted || (dtype != at::kHalf && dtype != at::kBFloat16)) throw;
    follow();
    workspace.check = open_check_samples(model, workspace.test);
  }
}

/// Says of a model that takes none of the samples with a batch, but one without, how to tell it.
/// @throws Error where that is so
void require_batch(const Workspace& workspace, const json& arguments,
                   const std::vector<std::string>& names, const Error& refusal) {
  if (!workspace.model.batched()) return;
  Source alone = workspace.test;
  alone.batch_size = 1;
  try {
    open_check_samples(with_arguments(workspace.check_model(), arguments, names, 0,
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

}  // namespace

Opened open_workspace(const Config& config) {
  const json& resolved = config.resolved;
  const PathSearch paths = config.paths();
  const std::uint64_t seed = resolved.at("seed");
  const ModelContext model_context{seed, resolved.at("device"), paths};
  if (resolved.at("model").at("kind") == "torchscript") {
    try {
      paths.find(resolved.at("model").at("path"), "/model/path");
    } catch (const Error& error) {
      const std::string command = training_command(config, resolved.at("model").at("path"));
      if (command.empty()) throw;
      Complaint complaint = error.complaint();
      complaint.found = "none; make it with: " + command;
      throw Error(complaint);
    }
  }
  OpenedModel opened = open_model(resolved.at("model"), model_context);
  if (resolved.at("dtype").is_string())
    opened.model = opened.model.to_dtype(parse_dtype(resolved.at("dtype")));

  if (opened.model.device().is_cuda()) {
    // Certificates compare single-precision results: no rounding of the factors to ten bits.
    at::globalContext().setAllowTF32CuBLAS(false);
    at::globalContext().setAllowTF32CuDNN(false);
  }
  Workspace workspace{.model = opened.model};
  workspace.seed = seed;
  workspace.memory_mb = resolved.at("memory_mb");
  workspace.paths = paths;
  std::vector<InputFile> inputs;
  if (!opened.path.empty()) inputs.push_back({"model", opened.given, opened.path});
  const json& data = resolved.at("data");
  const auto open = [&](const json& source, const std::string& split, const std::string& pointer) {
    Source result = open_source(source, {seed, paths, split, pointer});
    if (result.data->size() == 0)
      throw Error({"the data set is empty", pointer, "at least one sample", "none"});
    return result;
  };
  if (data.contains("kind")) {
    workspace.train = workspace.test = open(data, "train", "/data");
    for (InputFile& file : data_files(workspace.train, "data")) inputs.push_back(file);
  } else {
    workspace.train = open(data.at("train"), "train", "/data/train");
    workspace.test = open(data.at("test"), "test", "/data/test");
    workspace.separate_test = true;
    for (InputFile& file : data_files(workspace.train, "train")) inputs.push_back(file);
    for (InputFile& file : data_files(workspace.test, "test")) inputs.push_back(file);
  }
  const json& named = resolved.at("model");
  const bool batched = named.value("batched", true);
  if (!batched) workspace.train.batch_size = workspace.test.batch_size = 1;
  workspace.model = with_arguments(workspace.model, named.value("arguments", json::object()),
                                   input_names(workspace.test), named.value("batch_dim", 0),
                                   batched, "/model/arguments", named_masks(resolved));
  for (InputFile& input : inputs) input.sha256 = sha256_of_path(input.path);
  try {
    follow_dtype(workspace, resolved.at("dtype").is_string());
  } catch (const Error& error) {
    require_batch(workspace, named.value("arguments", json::object()), input_names(workspace.test),
                  error);
    throw;
  }
  const json tolerance = resolved.at("model").value("tolerance", json());
  workspace.check.names = input_names(workspace.test);
  workspace.check.batch_dim = named.value("batch_dim", 0);
  if (tolerance.is_number()) workspace.tolerance = tolerance;
  workspace.model.restart();
  if (workspace.check.only_batch) {
    const std::int64_t batch = workspace.check.batch_size;
    for (Source* source : {&workspace.train, &workspace.test}) {
      source->batch_size = batch;
      *source = with_size(*source, source->data->size() / batch * batch);
      if (source->data->size() > 0) continue;
      throw Error({"the model takes batches of one size only", workspace.model.name(),
                   fmt::format("at least {} samples", batch), "fewer"});
    }
  }
  return {std::move(workspace), std::move(inputs)};
}

json environment_json(const Config& config, int threads) {
  return {{"descramble", version()},
          {"libtorch", libtorch_version()},
          {"device", config.resolved.at("device")},
          {"threads", threads}};
}

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

}  // namespace descramble
