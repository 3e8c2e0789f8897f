#include "data/tensor_file.h"
#include "descramble/core/error.h"
#include "descramble/core/files.h"
#include "descramble/core/safetensors.h"
#include "experiment/matrices/matrix_kind.h"

namespace descramble {

const MatrixKind& matrix_kind_tensor() {
  static const MatrixKind kind{
      .info = {.name = "tensor",
               .summary = "a matrix of a safetensors file",
               .fields = {{.name = "path",
                           .type = FieldType::path,
                           .doc = "the file, or a result folder (its tensors.safetensors)"},
                          {.name = "name", .type = FieldType::string, .doc = "the tensor"}}},
      .make = [](const nlohmann::json& resolved, const MatrixContext& context) -> MatrixView {
        const std::string name = resolved.at("name");
        InputFile file = find_tensor_file("matrix", resolved.at("path"), context.workspace.paths,
                                          context.place + "/path");
        const NamedTensors tensors = load_safetensors(file.path);
        const at::Tensor values = find_tensor(tensors, name, file.path).to(at::kDouble);
        file.sha256 = sha256_of_path(file.path);
        context.inputs.push_back(std::move(file));
        return {.title = name, .values = values};
      },
      .of_network = false};
  return kind;
}

}  // namespace descramble
