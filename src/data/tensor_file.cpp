#include "data/tensor_file.h"

#include <vector>

#include "descramble/core/error.h"

namespace descramble {

std::filesystem::path tensor_file(const std::filesystem::path& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored) ? path / "tensors.safetensors" : path;
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
