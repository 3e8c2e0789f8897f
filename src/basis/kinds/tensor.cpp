
#include "descramble/basis/kinds.h"
#include "descramble/core/error.h"
#include "descramble/core/safetensors.h"

namespace descramble {

const BasisKind& basis_kind_tensor() {
  static const BasisKind kind{
      .info = {.name = "tensor",
               .summary = "a matrix with orthonormal columns, out of a safetensors file",
               .fields = {{.name = "path", .type = FieldType::path, .doc = "safetensors file"},
                          {.name = "name",
                           .type = FieldType::string,
                           .doc = "the matrix, d x k: a column for each direction"},
                          {.name = "rows",
                           .type = FieldType::boolean,
                           .doc = "its rows are the directions, as those of a rotation P are",
                           .fallback = false}}},
      .make = [](const Settings& settings, const BasisInput& input) -> BasisDraws {
        const std::string given = settings.text("path");
        const std::string name = settings.text("name");
        const InputFile file{"basis", given, input.paths.find(given, input.pointer + "/path")};
        const NamedTensors tensors = load_safetensors(file.path);
        const auto found = tensors.find(name);
        if (found == tensors.end()) {
          std::vector<std::string> known;
          for (const auto& [other, tensor] : tensors) known.push_back(other);
          throw Error({"no such tensor", input.pointer + "/name",
                       "one of " + quoted_list(nearest(name, known, 5)), "'" + name + "'"});
        }
        const at::Tensor matrix =
            settings.flag("rows") ? found->second.transpose(0, -1) : found->second;
        return one_basis(name, Basis(matrix, input.moments.mean(), input.pointer), {file});
      }};
  return kind;
}

}  // namespace descramble
