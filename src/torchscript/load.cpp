#include <algorithm>
#include <fstream>

#include <caffe2/serialize/inline_container.h>
#include <fmt/format.h>
#include <torch/csrc/jit/serialization/import.h>

#include "descramble/core/error.h"
#include "descramble/core/version.h"
#include "torchscript/device_constants.h"
#include "torchscript/torchscript.h"

namespace descramble {

namespace fs = std::filesystem;

namespace {

/// What an archive holds besides the module.
struct Records {
  torch::jit::ExtraFilesMap extra{};  ///< names; the contents come with loading
  bool bytecode = false;
};

Records require_archive(const fs::path& file) {
  std::error_code ignored;
  if (!fs::exists(file, ignored)) throw Error({"no such model file", file.string()});
  if (fs::is_directory(file, ignored)) {
    throw Error({"cannot load a model", file.string(), "a TorchScript archive", "a folder"});
  }
  std::ifstream stream(file, std::ios::binary);
  char magic[4] = {};
  stream.read(magic, 4);
  if (!stream || magic[0] != 'P' || magic[1] != 'K') {
    throw Error({"cannot load a model", file.string(),
                 "a TorchScript archive (a zip made by torch.jit.save)",
                 fs::file_size(file, ignored) == 0 ? "an empty file" : "a file of another format"});
  }
  std::unique_ptr<caffe2::serialize::PyTorchStreamReader> reader;
  try {
    reader = std::make_unique<caffe2::serialize::PyTorchStreamReader>(file.string());
  } catch (const std::exception&) {
    throw Error({"cannot load a model", file.string(), "a whole TorchScript archive",
                 "a damaged or truncated zip"});
  }
  if (reader->hasRecord("model.json")) {
    throw Error({"cannot load a model", file.string(), "an archive of PyTorch 1.2 or later",
                 "TorchScript of PyTorch 1.0 or 1.1 (model.json): load and save it once with a "
                 "PyTorch 1.x"});
  }
  if (!reader->hasRecord("constants.pkl")) {
    throw Error({"cannot load a model", file.string(), "a TorchScript archive (torch.jit.save)",
                 reader->hasRecord("data.pkl")
                     ? "a pickled checkpoint (torch.save), which holds no program"
                     : "a zip of something else"});
  }
  Records records;
  records.bytecode = reader->hasRecord("bytecode.pkl");
  constexpr std::string_view extra = "extra/";
  for (const std::string& record : reader->getAllRecords()) {
    if (record.starts_with(extra)) records.extra[record.substr(extra.size())] = "";
  }
  return records;
}

/// Python runs the hooks of the top module, and none but Python does.
void require_no_hooks(const torch::jit::Module& module, const fs::path& file) {
  const std::string hook = first_hook(module);
  if (hook.empty()) return;
  throw Error({"a scripted hook of the top module cannot be kept", file.string(),
               "a forward that computes all by itself", "'" + hook + "'"});
}

Error load_error(const fs::path& file, const std::exception& error) {
  const std::string text = error.what();
  if (text.find("mkldnn") != std::string::npos || text.find("MKLDNN") != std::string::npos) {
    return Error(
        {"cannot load a model", file.string(), "an archive for any machine",
         "one of torch.jit.optimize_for_inference, which no LibTorch loads: save the model "
         "before it is optimised"});
  }
  if (const auto at = text.find("Arguments for call are not valid"); at != std::string::npos) {
    // The schemas that there are follow, and the call behind them.
    std::string found = "a call with other arguments";
    const auto schema = text.find("aten::", at);
    if (schema != std::string::npos)
      found += ": this one has " + first_line(std::string_view(text).substr(schema));
    if (found.ends_with(':')) found.pop_back();
    return Error({"cannot load a model", file.string(),
                  "operators as this LibTorch (" + libtorch_version() + ") has them", found});
  }
  for (const char* sign :
       {"Unknown builtin op: ", "Unknown type name '", "Couldn't find an operator for ",
        "Could not find any similar ops to "}) {
    if (const auto at = text.find(sign); at != std::string::npos) {
      std::string name = first_line(text.substr(at));
      while (name.ends_with(':') || name.ends_with('.')) name.pop_back();
      return Error({"cannot load a model", file.string(),
                    "operators that this LibTorch (" + libtorch_version() + ") has", name});
    }
  }
  return Error({"cannot load a model", file.string(),
                "a whole TorchScript archive that this LibTorch (" + libtorch_version() + ") reads",
                first_line(text)});
}

}  // namespace

std::string first_hook(const torch::jit::Module& module) {
  const auto type = module.type();
  for (const auto* hooks : {&type->getForwardPreHooks(), &type->getForwardHooks()}) {
    if (!hooks->empty()) return hooks->front()->name();
  }
  return "";
}

std::shared_ptr<TorchScript> load_torchscript(const fs::path& file, at::Device device,
                                              const std::string& method) {
  Records records = require_archive(file);
  auto script = std::make_shared<TorchScript>();
  script->name = file.string();
  script->device = device;
  try {
    script->module = torch::jit::load(file.string(), device, records.extra);
  } catch (const std::exception& error) {
    throw load_error(file, error);
  }
  require_no_hooks(script->module, file);
  script->moved = move_device_constants(script->module, device);
  script->extra_files = std::move(records.extra);
  script->bytecode = records.bytecode;
  for (const auto& child : script->module.named_modules()) {
    if (child.value.hasattr("training") && child.value.attr("training").toBool())
      script->training.insert(child.name);
  }
  script->method = method;
  if (!script->module.find_method(method)) {
    std::vector<std::string> methods;
    for (const auto& known : script->module.get_methods()) {
      if (!known.name().starts_with('_') && methods.size() < 6) methods.push_back(known.name());
    }
    std::string expected = "a method '" + method + "'";
    if (!methods.empty()) expected += ", or another one named as the method that runs";
    throw Error({"the model cannot be run", file.string(), expected,
                 methods.empty() ? "no methods: weights alone, as torch::save in C++ writes them"
                                 : "only " + quoted_list(methods)});
  }
  script->module.eval();
  return script;
}

Model load_model(const fs::path& file, const std::string& device, const std::string& method) {
  return model_of(load_torchscript(file, parse_device(device), method));
}

}  // namespace descramble
