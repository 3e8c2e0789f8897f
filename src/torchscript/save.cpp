#include <cerrno>
#include <cstdio>
#include <cstring>

#include <torch/csrc/jit/serialization/export.h>

#include "descramble/core/error.h"
#include "descramble/model/model.h"
#include "torchscript/torchscript.h"

namespace descramble {

namespace {

/// While it lives, modules are in the mode in which the archive had them.
class ModesOfArchive {
 public:
  explicit ModesOfArchive(const TorchScript& script) {
    for (const auto& child : script.module.named_modules()) {
      if (!script.training.contains(child.name) || !child.value.hasattr("training")) continue;
      torch::jit::Module module = child.value;
      if (module.attr("training").toBool()) continue;
      module.setattr("training", true);
      changed_.push_back(module);
    }
  }
  ~ModesOfArchive() {
    for (torch::jit::Module& module : changed_) module.setattr("training", false);
  }
  ModesOfArchive(const ModesOfArchive&) = delete;
  ModesOfArchive& operator=(const ModesOfArchive&) = delete;

 private:
  std::vector<torch::jit::Module> changed_{};
};

}  // namespace

void TorchScript::save(const std::filesystem::path& file) const {
  const auto fail = [&file](const std::string& found) {
    return Failure({"cannot save the model", file.string(), "room and permission", found});
  };
  std::FILE* stream = std::fopen(file.c_str(), "wb");
  if (stream == nullptr) throw fail(std::strerror(errno));
  int error = 0;
  // LibTorch's writer must not see a failure: its destructor would throw and end the process.
  const auto write = [&](const void* bytes, std::size_t size) {
    if (error == 0 && std::fwrite(bytes, 1, size, stream) != size) error = errno;
    return size;
  };
  std::string message;
  try {
    const ModesOfArchive modes(*this);
    torch::jit::ExportModule(module, write, extra_files, bytecode);
  } catch (const std::exception& exception) {
    message = first_line(exception.what());
  }
  if (std::fclose(stream) != 0 && error == 0) error = errno;
  if (error != 0) throw fail(std::strerror(error));
  if (!message.empty()) throw fail(message);
}

}  // namespace descramble
