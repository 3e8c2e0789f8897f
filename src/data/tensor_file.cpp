#include "data/tensor_file.h"

#include <vector>

#include "descramble/core/error.h"

namespace descramble {

InputFile find_tensor_file(const std::string& role, const std::string& path,
                           const PathSearch& paths, const std::string& pointer) {
  InputFile file{role, path, paths.find(path, pointer)};
  std::error_code ignored;
  if (std::filesystem::is_directory(file.path, ignored)) {
    constexpr const char* name = "tensors.safetensors";
    file.given = (std::filesystem::path(path) / name).string();
    file.path /= name;
  }
  return file;
}

const at::Tensor& find_tensor(const NamedTensors& tensors, const std::string& name,
                              const std::filesystem::path& file) {
  if (const auto found = tensors.find(name); found != tensors.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [known, tensor] : tensors) names.push_back(known);
  throw Error({"no tensor '" + name + "'", file.string(),
               names.empty()
                   ? "a tensor of that name"
                   : "a tensor of the file; the nearest are " + quoted_list(nearest(name, names)),
               names.empty() ? "a file without tensors" : "'" + name + "'"});
}

}  // namespace descramble
